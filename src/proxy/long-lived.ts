/** Tells answers that are meant to stay open from those that end soon. */
import { type Fields, fieldText } from '../wire/fields.ts';

/** True for event streams and gRPC, which last as long as both sides like. */
export function isLongLived(fields: Fields): boolean {
  const type = fieldText(fields, 'content-type')?.toLowerCase();
  return type !== undefined && (type.startsWith('text/event-stream') || type.startsWith('application/grpc'));
}
