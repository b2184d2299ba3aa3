/** Lets in or keeps out by the client's address. */
import { definePlugin, refuse, z } from 'snowgate/plugin';
import { compileRanges, ranges } from './_auth/ranges.ts';

export default definePlugin({
  name: 'ip-filter',
  summary: "Lets in or keeps out by the client's address, trusted proxies taken into account.",
  config: z
    .strictObject({
      allow: ranges.default([]).describe('Only these come in; empty: everybody who is not denied.'),
      deny: ranges.default([]).describe('These stay out, even if they are allowed.'),
    })
    .refine(({ allow, deny }) => allow.length + deny.length > 0, 'needs an address in allow or deny'),
  setup({ allow, deny }) {
    const isAllowed = allow.length === 0 ? null : compileRanges(allow);
    const isDenied = compileRanges(deny);
    return {
      accept(x) {
        const { address } = x.client;
        // An address that cannot be read is nobody's: it stays out.
        const passes = isDenied(address) === false && (isAllowed === null || isAllowed(address) === true);
        return passes ? undefined : refuse('GW_FORBIDDEN', `address ${address}`);
      },
    };
  },
});
