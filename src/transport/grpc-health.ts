/** The two messages of grpc.health.v1, by hand: one text one way, one number the other. */

/** ServingStatus of the protocol, by its numbers. */
const STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const SERVING = 1;
/** Before each message: whether it is compressed, and its length in four bytes. */
const PREFIX_BYTES = 5;
/** Tags of protobuf: the number of the field and how its value is written. */
const SERVICE_TAG = 0x0a;
const STATUS_TAG = 0x08;

const framed = (message: Buffer): Buffer => {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
};

/** HealthCheckRequest for a service; '' asks for the whole server. */
export function healthRequest(service: string): Buffer {
  const name = Buffer.from(service);
  if (name.length === 0) return framed(name);
  // A length takes seven bits a byte, the lowest first.
  const length = name.length < 128 ? [name.length] : [(name.length & 127) | 128, name.length >> 7];
  return framed(Buffer.concat([Buffer.from([SERVICE_TAG, ...length]), name]));
}

/**
 * What is wrong with the service, or null when it serves.
 * @param status `grpc-status` of the answer
 * @param body HealthCheckResponse with its prefix
 */
export function healthProblem(status: string | undefined, body: Buffer): string | null {
  if (status === undefined) return 'no grpc-status';
  if (status !== '0') return `grpc-status ${status}`;
  if (body.length < PREFIX_BYTES || body[0] !== 0) return 'an answer that is not understood';
  const message = body.subarray(PREFIX_BYTES, PREFIX_BYTES + body.readUInt32BE(1));
  // A field that has its default is left out.
  const serving = message.length === 0 ? 0 : message[0] === STATUS_TAG ? message[1] : undefined;
  if (serving === SERVING) return null;
  return serving === undefined
    ? 'an answer that is not understood'
    : (STATUSES[serving] ?? `status ${serving}`);
}
