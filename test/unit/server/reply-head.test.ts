/** The fields of an answer as they are written: framing is the listener's own, however a plugin spells it. */
import { expect, test } from 'vitest';
import { replyFields } from '../../../src/server/reply-head.ts';
import { fieldsOf } from '../../kit/origin-calls.ts';

const framing = { length: 2, bodiless: false, status: 200, close: false, chunked: false };

test.each(['content-length', 'Content-Length', 'TRANSFER-ENCODING', 'Connection', 'Trailer'])(
  '%s is left out of what is passed on',
  (name) => {
    const flat = replyFields(fieldsOf({ [name]: '5', 'X-A': ['1', '2'] }), framing);
    expect(flat).toEqual(['x-a', '1', 'x-a', '2', 'content-length', '2']);
  },
);
