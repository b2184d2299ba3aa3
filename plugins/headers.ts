/** Sets, adds and removes headers of the request on its way up and of the answer on its way down. */
import { compileWord, definePlugin, type Exchange, type Fields, z } from 'snowgate/plugin';

/** They frame the message or name its target, so they are the gateway's; `hostHeader` changes the Host. */
const RESERVED = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const name = z
  .string()
  .regex(/^[!#$%&'*+.^`|~0-9A-Za-z-]+$/, 'must be a header name')
  .refine((text) => !RESERVED.has(text.toLowerCase()), 'this header belongs to the gateway');

const WORD = /\{([a-z]+(?:\.[A-Za-z0-9_-]+|\["[^"\\\]]+"\])*)\}/g;

/** What a value may mention in braces, beside the words that limits and rules look at. */
const WORDS: Readonly<Record<string, (x: Exchange) => string>> = {
  'trace.id': (x) => x.id,
  // With its port, as the client asked for it.
  host: (x) => x.received.authority,
};

/** @throws Error with a sentence for whoever wrote it */
const reader = (word: string): ((x: Exchange) => string) => {
  if (Object.hasOwn(WORDS, word)) return WORDS[word]!;
  const read = compileWord(word);
  return (x) => read(x) ?? '';
};

const value = z
  .string()
  .regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'must be one line of Latin characters')
  .superRefine((text, context) => {
    for (const [, word] of text.matchAll(WORD)) {
      try {
        reader(word!);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        context.addIssue({ code: 'custom', message: `${message}, and trace.id` });
      }
    }
  });

const changes = z
  .strictObject({
    remove: z.array(name).default([]).describe('Names to take away, before anything is set.'),
    set: z.record(name, value).default({}).describe('Values that replace whatever is there.'),
    add: z
      .record(name, z.union([value, z.array(value)]))
      .default({})
      .describe('Further values beside those that are there.'),
  })
  .prefault({});

/** A text with its words filled in; what a client had a hand in cannot break out of the line. */
const filler = (text: string): ((x: Exchange) => string) => {
  const parts = text.split(WORD);
  if (parts.length === 1) return () => text;
  const readers = parts.map((part, at) => (at % 2 === 0 ? () => part : reader(part)));
  return (x) => {
    let filled = '';
    for (let at = 0; at < readers.length; at++) {
      const piece = readers[at]!(x);
      filled += at % 2 === 0 ? piece : piece.replaceAll(/[^\x20-\x7e]+/g, safely);
    }
    return filled;
  };
};

const safely = (text: string): string => encodeURIComponent(text.toWellFormed());

type Change = (x: Exchange, fields: Fields) => void;

const addTo = (fields: Fields, key: string, text: string): void => {
  const old = fields[key];
  if (old === undefined) fields[key] = text;
  else fields[key] = typeof old === 'string' ? [old, text] : [...old, text];
};

/** The changes as a list that runs in order; null when there are none. */
const compile = ({ remove, set, add }: z.infer<typeof changes>): Change | null => {
  const steps: Change[] = [];
  for (const key of remove) {
    const lower = key.toLowerCase();
    steps.push((_, fields) => delete fields[lower]);
  }
  for (const [key, text] of Object.entries(set)) {
    const [lower, fill] = [key.toLowerCase(), filler(text)];
    steps.push((x, fields) => {
      fields[lower] = fill(x);
    });
  }
  for (const [key, texts] of Object.entries(add)) {
    const lower = key.toLowerCase();
    for (const fill of [texts].flat().map(filler)) steps.push((x, fields) => addTo(fields, lower, fill(x)));
  }
  if (steps.length === 0) return null;
  return (x, fields) => {
    for (const step of steps) step(x, fields);
  };
};

export default definePlugin({
  name: 'headers',
  summary: 'Sets, adds and removes headers of requests and answers.',
  config: z.strictObject({
    request: changes.describe('On the request that the upstream gets.'),
    response: changes.describe('On the answer, whoever made it.'),
  }),
  setup({ request, response }) {
    const onRequest = compile(request);
    const onResponse = compile(response);
    return {
      ...(onRequest && { request: (x) => onRequest(x, x.request.fields) }),
      ...(onResponse && { response: (x, reply) => onResponse(x, reply.fields) }),
    };
  },
});
