/** The address of the admin server, and the token that it asks for. */
import { z } from 'zod';
import { address, addressOrOff } from './addresses.ts';
import { text } from './forms.ts';
import { section } from './shapes.ts';
import type { AdminAddress } from './types.ts';

const long = section({
  address: address().describe('Address of the admin server.'),
  token: text({ form: 'text', max: 1024 })
    .optional()
    .describe('What callers from elsewhere must send as `authorization: Bearer TOKEN`.'),
}).transform((input): AdminAddress => ({ ...input.address, token: input.token ?? null }));

/** `host:port`, `off`, or a map with a token; null for off. */
export const adminSchema = z.union([
  addressOrOff().transform((short): AdminAddress | null => short && { ...short, token: null }),
  long,
]);
