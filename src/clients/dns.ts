/** Asks name servers one question at a time, for answers with their TTLs, which the system's resolver keeps to itself. */
import { createSocket } from 'node:dgram';
import { getServers } from 'node:dns';
import { connect, isIPv6 } from 'node:net';
import { type Answer, type DecodedPacket, decode, encode, type Packet, type RecordType } from 'dns-packet';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';

export interface NameServer {
  /** An address. */
  readonly host: string;
  readonly port: number;
}

export interface DnsParts {
  /** Asked in this order. */
  readonly servers: readonly NameServer[];
  /** Until a server has answered, before the next one is asked. */
  readonly timeoutMs: number;
  /** With udp, tcp is used for the answers that are too long; default: udp. */
  readonly transport?: 'udp' | 'tcp';
  readonly clock: Clock;
  readonly random: Random;
}

export interface DnsAnswer {
  /** Null where there is no such name (NXDOMAIN). */
  readonly answers: readonly Answer[] | null;
  /** What the server adds by itself: addresses of the targets of SRV records. */
  readonly additionals: readonly Answer[];
  /** How long the answer is true, in seconds; of nothing, how long nothing is (RFC 2308); null: not said. */
  readonly ttlSeconds: number | null;
}

/** Fits into one datagram everywhere (DNS flag day 2020); what is longer comes over TCP. */
const UDP_BYTES = 1232;
/** All servers are asked so many times: a datagram may get lost. */
const ROUNDS = 2;
/** Bits of the flags that hold the response code. */
const RCODE_MASK = 0xf;
const NXDOMAIN = 3;
/** RFC 1035, section 4.1.1. */
const RCODES: Readonly<Record<number, string>> = { 1: 'FORMERR', 2: 'SERVFAIL', 4: 'NOTIMP', 5: 'REFUSED' };

const where = ({ host, port }: NameServer): string =>
  isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;

/** The name servers of the system, as its resolv.conf or settings have them. */
export function systemServers(): NameServer[] {
  return getServers().map((text) => {
    const bracketed = /^\[(.+)\]:(\d+)$/.exec(text) ?? /^([^:]+):(\d+)$/.exec(text);
    return bracketed === null
      ? { host: text, port: 53 }
      : { host: bracketed[1]!, port: Number(bracketed[2]) };
  });
}

/** Opens a way to a server, sends, and gives what comes back, or null for what is no answer to it. */
type Exchange = (
  server: NameServer,
  question: Buffer,
  got: (message: Buffer) => void,
  failed: (error: Error) => void,
) => () => void;

/** One socket a question: its port is drawn anew, and only this server is heard. */
const overUdp: Exchange = (server, question, got, failed) => {
  const socket = createSocket(isIPv6(server.host) ? 'udp6' : 'udp4');
  socket.on('error', failed);
  socket.on('message', got);
  let open = true;
  socket.connect(server.port, server.host, () => {
    if (open) socket.send(question);
  });
  return () => {
    open = false;
    socket.close();
  };
};

/** Two bytes of length before each message (RFC 1035, section 4.2.2). */
const overTcp: Exchange = (server, question, got, failed) => {
  const socket = connect(server.port, server.host);
  let bytes = Buffer.alloc(0);
  socket.on('error', failed);
  socket.on('close', () => failed(new Error('the connection was closed')));
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0))
      got(bytes.subarray(2, 2 + bytes.readUInt16BE(0)));
  });
  const length = Buffer.alloc(2);
  length.writeUInt16BE(question.length);
  socket.write(Buffer.concat([length, question]));
  return () => socket.destroy();
};

const sameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

const ttlOf = (packet: DecodedPacket): number | null => {
  const answers = packet.answers ?? [];
  const ttls = answers.flatMap((answer) => ('ttl' in answer && answer.ttl !== undefined ? [answer.ttl] : []));
  if (ttls.length > 0) return Math.min(...ttls);
  for (const record of packet.authorities ?? [])
    if (record.type === 'SOA') return Math.min(record.ttl ?? 0, record.data.minimum ?? 0);
  return null;
};

export class DnsClient {
  readonly #parts: DnsParts;
  readonly #open = new Set<() => void>();
  #closed = false;

  constructor(parts: DnsParts) {
    this.#parts = parts;
  }

  /**
   * Asks for the records of a name; an alias is followed by the server.
   * @throws Error where no server gives a proper answer
   */
  async ask(name: string, type: RecordType): Promise<DnsAnswer> {
    const { servers } = this.#parts;
    if (servers.length === 0) throw new Error('there is no name server to ask');
    let last = new Error('there is no answer');
    for (let round = 0; round < ROUNDS; round++) {
      for (const server of servers) {
        try {
          return await this.#askOne(server, name, type);
        } catch (error) {
          last = new Error(`${where(server)} ${(error as Error).message}`, { cause: error });
        }
        if (this.#closed) throw last;
      }
    }
    throw last;
  }

  /** Breaks off every question. */
  close(): void {
    this.#closed = true;
    for (const end of this.#open) end();
  }

  async #askOne(server: NameServer, name: string, type: RecordType): Promise<DnsAnswer> {
    const first = this.#parts.transport === 'tcp' ? overTcp : overUdp;
    let packet = await this.#exchange(first, server, name, type);
    if (packet.flag_tc) packet = await this.#exchange(overTcp, server, name, type);
    const code = (packet.flags ?? 0) & RCODE_MASK;
    if (code !== 0 && code !== NXDOMAIN) throw new Error(`answers ${RCODES[code] ?? `code ${code}`}`);
    return {
      answers: code === NXDOMAIN ? null : (packet.answers ?? []),
      additionals: packet.additionals ?? [],
      ttlSeconds: ttlOf(packet),
    };
  }

  #exchange(way: Exchange, server: NameServer, name: string, type: RecordType): Promise<DecodedPacket> {
    const { clock, timeoutMs, random } = this.#parts;
    const id = Buffer.from(random.bytes(2)).readUInt16BE();
    const question: Packet = {
      type: 'query',
      id,
      // Recursion desired.
      flags: 0x100,
      questions: [{ type, name, class: 'IN' }],
      additionals: [
        {
          type: 'OPT',
          name: '.',
          udpPayloadSize: UDP_BYTES,
          extendedRcode: 0,
          ednsVersion: 0,
          flags: 0,
          flag_do: false,
          options: [],
        },
      ],
    };
    return new Promise((resolve, reject) => {
      let open = true;
      const end = () => {
        if (!open) return;
        open = false;
        timer.cancel();
        this.#open.delete(end);
        shut();
        reject(new Error('was not waited for'));
      };
      const settle = (done: () => void) => {
        done();
        end();
      };
      const timer = clock.after(timeoutMs, () => settle(() => reject(new Error('does not answer'))));
      const shut = way(
        server,
        encode(question),
        (message) => {
          const packet = read(message);
          if (packet === null) settle(() => reject(new Error('answers what nobody can read')));
          // Not to this question: somebody else's, or a late one.
          else if (packet.id === id && packet.questions?.some((each) => sameName(each.name, name)) === true)
            settle(() => resolve(packet));
        },
        (error) => settle(() => reject(new Error(`cannot be asked: ${error.message}`))),
      );
      this.#open.add(end);
    });
  }
}

/** Null for what is no answer at all. */
const read = (message: Buffer): DecodedPacket | null => {
  try {
    const packet = decode(message);
    return packet.type === 'response' ? packet : null;
  } catch {
    // The parser throws all kinds of errors on what was made to break it.
    return null;
  }
};
