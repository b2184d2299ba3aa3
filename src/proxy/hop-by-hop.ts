/** Fields that belong to one connection and never pass (RFC 9110 section 7.6.1). */
import { type Fields, fieldText } from '../wire/fields.ts';

/** Framing and cookies are the message's own, whatever a `Connection` field says of them. */
const KEPT = new Set(['content-length', 'content-type', 'set-cookie', 'location', 'cache-control']);

/** Drops the fields of one connection, those that its `Connection` names included. `te` and `trailer` stay. */
export function dropHopByHop(fields: Fields): void {
  const connection = fieldText(fields, 'connection');
  if (connection !== undefined) {
    delete fields.connection;
    if (connection !== 'keep-alive' && connection !== 'close') dropNamed(fields, connection);
  }
  delete fields['keep-alive'];
  delete fields['proxy-connection'];
  delete fields['transfer-encoding'];
  delete fields.upgrade;
}

const dropNamed = (fields: Fields, connection: string) => {
  for (const token of connection.split(',')) {
    const name = token.trim().toLowerCase();
    if (!KEPT.has(name)) delete fields[name];
  }
};
