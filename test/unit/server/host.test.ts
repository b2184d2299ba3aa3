/** Hosts and absolute targets are read strictly. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { absoluteTarget, authorityOf, sameAuthority } from '../../../src/server/host.ts';

describe('authorityOf', () => {
  it.each([
    ['A.Example:8080', 'a.example:8080'],
    ['a.example.', 'a.example.'],
    ['[::FFFF:1.2.3.4]:1', '[::ffff:1.2.3.4]:1'],
    ['xn--mnchen-3ya.de', 'xn--mnchen-3ya.de'],
  ])('reads %s', (host, authority) => {
    expect(authorityOf(host)).toBe(authority);
  });

  it('gives nothing that could be read as more than a host and a port', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const authority = authorityOf(text);
        if (authority !== null) expect(new URL(`http://${authority}/`).username).toBe('');
        if (authority !== null) expect(authority).not.toMatch(/[\s/@?#,\\]/);
      }),
    );
  });
});

describe('absoluteTarget', () => {
  it('agrees with the URL standard where both accept', () => {
    fc.assert(
      fc.property(fc.webUrl({ validSchemes: ['http'], withQueryParameters: true }), (url) => {
        const target = absoluteTarget(url, 'http');
        if (target === null) return;
        const parsed = new URL(url);
        expect(sameAuthority(target.authority!, parsed.host, 'http')).toBe(true);
        expect(new URL(`http://a${target.path}${target.query}`).search).toBe(parsed.search);
        expect(new URL(`http://a${target.path}`).pathname).toBe(parsed.pathname);
      }),
    );
  });
});

describe('sameAuthority', () => {
  it('lets only the own port of the scheme be left out', () => {
    expect(sameAuthority('a:80', 'a', 'http')).toBe(true);
    expect(sameAuthority('a:443', 'a', 'https')).toBe(true);
    expect(sameAuthority('a:443', 'a', 'http')).toBe(false);
    expect(sameAuthority('a', 'b', 'http')).toBe(false);
  });
});
