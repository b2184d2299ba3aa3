/** The keys that steer a route's traffic beside its upstream: `splitBy`, `mirror` and `fault`. */
import { word } from './balance.ts';
import { duration, integer, percent, text } from './forms.ts';
import { section, table } from './shapes.ts';

const fault = section({
  delay: duration().optional().describe('How long the request waits before it goes on.'),
  abort: integer(400, 599).optional().describe('Status to answer with instead of sending the request on.'),
  percent: percent().prefault('100%').describe('Part of the requests that it hits.'),
  when: table(text({ form: 'text' })).describe(
    'Words such as `header.x-chaos` and the values they must have; without any, it hits everybody.',
  ),
});

const mirror = section({
  upstream: text({ form: 'the name of an upstream, or a URL' }).describe('Where the copies go.'),
  percent: percent().prefault('100%').describe('Part of the requests that is copied.'),
});

/** The keys of a route. */
export const trafficShape = {
  splitBy: word()
    .optional()
    .describe('What decides which upstream of a split a request goes to, always the same one.'),
  mirror: mirror.optional().describe('A second upstream that gets copies and whose answers are thrown away.'),
  fault: fault.optional().describe('A fault made on purpose, to see what happens.'),
};
