/** One good configuration of each built-in plugin, for the conformance suite. */

/** By the plugin's name; a new plugin adds its own. */
export const sampleConfigs: Readonly<Record<string, unknown>> = {
  cors: { origins: ['https://shop.example'] },
  headers: {
    request: { set: { 'x-a': '{client.address} {params.id}' } },
    response: { remove: ['server'], add: { 'x-b': 'c' } },
  },
  'ip-filter': { deny: ['203.0.113.0/24'] },
  redirect: { to: 'https://{host}{path}' },
  respond: { json: { ok: true } },
};
