/** A mirror in whatever order things happen: each copy ends once, and the original never notices. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gatewayError } from '../../../src/kernel/errors.ts';
import { setUpMirror } from '../../kit/mirror.ts';
import { fieldsOf, HandBody, RecordSink } from '../../kit/proxy.ts';

const EVENTS = [
  'take body',
  'body',
  'much body',
  'body ends',
  'body breaks',
  'main answers',
  'main ends',
  'main fails',
  'copy answers',
  'copy flows',
  'copy ends',
  'copy fails',
  'client leaves',
  'time passes',
] as const;

test('whatever happens in whatever order, a copy ends once and the original is as it would be without it', () => {
  const events = fc.array(fc.constantFrom(...EVENTS), { maxLength: 16 });
  fc.assert(
    fc.property(fc.boolean(), events, (withBody, sequence) => {
      let done = 0;
      const { clock, main, shadow, ended, begin } = setUpMirror(
        { hostHeader: 'upstream' },
        { bodyLimitBytes: 10_000_000, done: () => done++ },
      );
      const body = withBody ? new HandBody() : null;
      const { x, down } = begin({ method: 'POST', body });
      const sink = new RecordSink();
      const answer = new HandBody();
      const mirrored = new HandBody();
      let sent = '';
      const state = { bodyOver: false, mainOver: false, mainHead: false, copyOver: false, copyHead: false };
      const flows = () => body !== null && body.sink !== null && body.cancelled === null && !state.bodyOver;
      const send = (text: string) => {
        sent += text;
        body!.write(text);
      };
      const happen: Record<(typeof EVENTS)[number], () => void> = {
        'take body': () => {
          if (body !== null && body.sink === null && !x.left) main.call!.body!.read(sink);
        },
        body: () => flows() && send('some'),
        'much body': () => flows() && send('x'.repeat(50_000)),
        'body ends': () => {
          if (!flows()) return;
          state.bodyOver = true;
          body!.sink!.end(null);
        },
        'body breaks': () => {
          if (!flows()) return;
          state.bodyOver = true;
          body!.sink!.fail(gatewayError('GW_CLIENT_LEFT'));
        },
        'main answers': () => {
          if (state.mainHead || main.cancelled.length > 0) return;
          state.mainHead = true;
          main.to!.head({ status: 200, fields: fieldsOf() }, answer);
        },
        'main ends': () => {
          if (answer.sink === null || answer.cancelled !== null || state.mainOver) return;
          state.mainOver = true;
          answer.sink.end(null);
        },
        'main fails': () => {
          if (state.mainHead || main.cancelled.length > 0) return;
          state.mainHead = true;
          main.to!.fail(gatewayError('GW_UPSTREAM_RESET'));
        },
        'copy answers': () => {
          if (shadow.to === null || state.copyHead || shadow.cancelled.length > 0) return;
          state.copyHead = true;
          shadow.to.head({ status: 200, fields: fieldsOf() }, mirrored);
        },
        'copy flows': () => {
          if (mirrored.sink !== null && mirrored.cancelled === null && !state.copyOver)
            mirrored.write('y'.repeat(300_000));
        },
        'copy ends': () => {
          if (mirrored.sink === null || mirrored.cancelled !== null || state.copyOver) return;
          state.copyOver = true;
          mirrored.sink.end(null);
        },
        'copy fails': () => {
          if (shadow.to === null || state.copyHead || shadow.cancelled.length > 0) return;
          state.copyHead = true;
          shadow.to.fail(gatewayError('GW_UPSTREAM_RESET'));
        },
        'client leaves': () => down.left?.(),
        'time passes': () => clock.advance(3000),
      };
      for (const event of sequence) happen[event]();
      // Everything comes to its end.
      for (const event of [
        'main answers',
        'main ends',
        'client leaves',
        'time passes',
        'time passes',
      ] as const)
        happen[event]();
      expect(ended).toHaveLength(1);
      expect(done).toBe(1);
      expect(sink.text).toBe(sent);
      if (shadow.call?.body != null) {
        const copied = new RecordSink();
        shadow.call.body.read(copied);
        expect(copied.text).toBe(sent);
      }
      if (shadow.call !== null && body !== null) expect(sink.ended).toBe(1);
    }),
    { numRuns: 1500, seed: 11 },
  );
});
