/** One good configuration of each built-in plugin, for the conformance suite. */

/** By the plugin's name; a new plugin adds its own. */
export const sampleConfigs: Readonly<Record<string, unknown>> = {
  'api-key': { consumers: { acme: { keys: [`sha256:${'0'.repeat(64)}`], plan: 'pro' } } },
  basic: {
    users: {
      ann: { password: `$scrypt$ln=14,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`, scopes: ['orders:read'] },
    },
  },
  authorize: { allow: [{ scopes: ['orders:read'] }, 'claims.sub == params.id'] },
  cors: { origins: ['https://shop.example'] },
  csrf: { origins: ['https://shop.example'] },
  'ext-auth': { url: 'http://127.0.0.1:9/check', copy: ['x-user'], principal: 'x-user' },
  headers: {
    request: { set: { 'x-a': '{client.address} {params.id}' } },
    response: { remove: ['server'], add: { 'x-b': 'c' } },
  },
  'in-flight': { limit: 10 },
  'ip-filter': { deny: ['203.0.113.0/24'] },
  jwt: {
    issuer: 'https://idp.example/',
    keys: [
      {
        kty: 'EC',
        crv: 'P-256',
        x: 'sOrT-LKTd2c_QyDbOvW6G-rv1virCceY8MKiJx5Pu3w',
        y: 'CPiRZ8fBiFjpFkchANmOfXVV14WW1uC-o4M2mPDbxWs',
      },
    ],
    audience: 'orders',
    forward: { sub: 'x-user' },
  },
  'rate-limit': { rate: '100/s', by: 'client.address' },
  redirect: { to: 'https://{host}{path}' },
  'security-headers': { csp: "default-src 'self'", preload: true, subdomains: true },
  timeout: { limit: '10s', plan: 'principal.plan', plans: { free: '2s', staff: false } },
  respond: { json: { ok: true } },
};
