/** Lets in or keeps out by the client's address. */
import { BlockList, isIP } from 'node:net';
import { definePlugin, refuse, z } from 'snowgate/plugin';

const splitRange = (text: string): { address: string; bits: number; family: 'ipv4' | 'ipv6' } | null => {
  const [address = '', length, ...more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || more.length > 0 || address.includes('%')) return null;
  const most = version === 4 ? 32 : 128;
  if (length !== undefined && !/^\d{1,3}$/.test(length)) return null;
  const bits = length === undefined ? most : Number(length);
  return bits > most ? null : { address, bits, family: version === 4 ? 'ipv4' : 'ipv6' };
};

const ranges = z.array(
  z.string().refine((text) => splitRange(text) !== null, 'must be an address or a range such as 10.0.0.0/8'),
);

const listOf = (texts: readonly string[]): BlockList => {
  const list = new BlockList();
  for (const text of texts) {
    const { address, bits, family } = splitRange(text)!;
    list.addSubnet(address, bits, family);
  }
  return list;
};

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
    const allowed = listOf(allow);
    const denied = listOf(deny);
    return {
      accept(x) {
        const address = x.client.address.replace(/%.*$/, '');
        const version = isIP(address);
        const family = version === 6 ? 'ipv6' : 'ipv4';
        // An address that cannot be read is nobody's: it stays out.
        const passes =
          version !== 0 &&
          !denied.check(address, family) &&
          (allow.length === 0 || allowed.check(address, family));
        return passes ? undefined : refuse('GW_FORBIDDEN', `address ${address}`);
      },
    };
  },
});
