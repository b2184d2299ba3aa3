/** Tells callers that a route will go away, and turns them away once it has. */
import { definePlugin, reply, z } from 'snowgate/plugin';

const isDate = (text: string) => /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text));
const date = z.string().refine(isDate, 'must be a date such as 2027-06-30');

export default definePlugin({
  name: 'deprecated',
  summary: 'Marks answers with Deprecation and Sunset headers, and answers 410 after the last day.',
  config: z.strictObject({
    since: date.describe('The day from which callers are told.'),
    sunset: date.describe('The day from which the route is gone.'),
    link: z.url().optional().describe('Where callers read what to use instead.'),
  }),
  setup({ since, sunset, link }, host) {
    const sinceMs = Date.parse(since);
    const sunsetMs = Date.parse(sunset);
    if (sunsetMs <= sinceMs) throw new Error('sunset must be after since');
    const used = host.counter('deprecated_requests', 'Requests for a route that will go away.');

    return {
      accept(x) {
        if (host.clock.wallMs() >= sunsetMs) return reply(410, {}, `Gone since ${sunset}.\n`);
        used.add();
        // Kept for `log`, which runs when the answer has been sent.
        x.slots[host.slot] = x.received.fields['user-agent'] ?? 'unknown';
        return undefined;
      },
      response(_, { fields }) {
        fields.deprecation = `@${sinceMs / 1000}`; // RFC 9745
        fields.sunset = new Date(sunsetMs).toUTCString(); // RFC 8594
        if (link !== undefined) fields.link = `<${link}>; rel="deprecation"`;
      },
      log(x) {
        const agent = x.slots[host.slot];
        if (agent !== undefined) host.log.debug('an old route was used', { route: x.route.name, agent });
      },
    };
  },
});
