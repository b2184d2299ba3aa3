/** Answers by itself with a fixed status, headers and body. */
import { definePlugin, reply, z } from 'snowgate/plugin';

/** They belong to the connection or follow from the body. */
const RESERVED = ['connection', 'content-length', 'keep-alive', 'transfer-encoding', 'upgrade', 'trailer'];

const headers = z.record(
  z
    .string()
    .regex(/^[!#$%&'*+.^`|~0-9A-Za-z-]+$/, 'must be a header name')
    .refine((text) => !RESERVED.includes(text.toLowerCase()), 'this header belongs to the gateway'),
  z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'must be one line of Latin characters'),
);

const config = z
  .strictObject({
    status: z.int().min(200).max(599).default(200).describe('The status code.'),
    headers: headers.default({}).describe('Headers of the answer.'),
    body: z.string().optional().describe('The body as text.'),
    json: z.json().optional().describe('The body as a value that is sent as JSON; instead of `body`.'),
  })
  .superRefine((value, context) => {
    const issue = (message: string) => context.addIssue({ code: 'custom', path: ['body'], message });
    const hasBody = value.body !== undefined || value.json !== undefined;
    if (value.body !== undefined && value.json !== undefined) issue('give either body or json');
    if (hasBody && [204, 205, 304].includes(value.status)) issue(`a ${value.status} has no body`);
  });

export default definePlugin({
  name: 'respond',
  summary: 'Answers by itself with a fixed status, headers and body, after authentication and limits.',
  config,
  setup({ status, headers, body, json }) {
    const fields: Record<string, string> = {};
    if (json !== undefined) fields['content-type'] = 'application/json';
    else if (body !== undefined) fields['content-type'] = 'text/plain; charset=utf-8';
    for (const [name, value] of Object.entries(headers)) fields[name.toLowerCase()] = value;
    const text = json === undefined ? (body ?? '') : JSON.stringify(json);
    const bytes = text === '' ? null : new TextEncoder().encode(text);
    // Not in `accept`: what a route protects by an authenticator stays protected.
    return { request: () => reply(status, fields, bytes) };
  },
});
