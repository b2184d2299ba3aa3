/** Addresses and ranges of addresses, as `allow` and `from` name them. */
import { BlockList, isIP } from 'node:net';
import { z } from 'snowgate/plugin';

const splitRange = (text: string): { address: string; bits: number; family: 'ipv4' | 'ipv6' } | null => {
  const [address = '', length, ...more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || more.length > 0 || address.includes('%')) return null;
  const most = version === 4 ? 32 : 128;
  if (length !== undefined && !/^\d{1,3}$/.test(length)) return null;
  const bits = length === undefined ? most : Number(length);
  return bits > most ? null : { address, bits, family: version === 4 ? 'ipv4' : 'ipv6' };
};

/** True for an address or a range such as 10.0.0.0/8. */
export const isRange = (text: string): boolean => splitRange(text) !== null;

/** A setting that is a list of them. */
export const ranges = z.array(z.string().refine(isRange, 'must be an address or a range such as 10.0.0.0/8'));

/** Tells whether an address is in one of the ranges; null for what is no address, which is nobody's. */
export function compileRanges(texts: readonly string[]): (address: string) => boolean | null {
  const list = new BlockList();
  for (const text of texts) {
    const { address, bits, family } = splitRange(text)!;
    list.addSubnet(address, bits, family);
  }
  return (text) => {
    const address = text.replace(/%.*$/, '');
    const version = isIP(address);
    return version === 0 ? null : list.check(address, version === 6 ? 'ipv6' : 'ipv4');
  };
}
