/** The shapes that keys of the configuration are put together in: sections, tables, choices and lists. */
import { z } from 'zod';
import { form, Refusal, text } from './forms.ts';

/** A map of known keys; an unknown one is refused, and the keys that there are go along as the message. */
export const section = <S extends z.ZodRawShape>(shape: S) =>
  z.preprocess(
    (value) => value ?? {},
    z.strictObject(shape, {
      error: (issue) => (issue.code === 'unrecognized_keys' ? Object.keys(shape).join(' ') : undefined),
    }),
  );

/** A map whose keys the user chooses; nothing after the colon is an empty one. */
export const table = <V extends z.ZodType>(value: V) =>
  z.preprocess((found) => found ?? {}, z.record(z.string(), value)).prefault({});

export const choice = <const T extends readonly (string | number)[]>(...values: T) =>
  form<T[number]>({
    form: values.map((value) => `\`${value}\``).join(', '),
    json: { enum: [...values] },
    takes: ['string', 'number', 'boolean'],
    remedy: values.length === 1 ? `Write ${values[0]}.` : `Choose one of ${values.join(', ')}.`,
    read: (value) =>
      values.find((known) => known === value) ??
      new Refusal(values.length === 1 ? `is not ${values[0]}` : `is none of ${values.join(', ')}`),
  });

/** One value, or a list of them. */
export const oneOrMany = <T>(item: z.ZodType<T>) =>
  z.union([item.transform((value) => [value]), z.array(item)]);

/** The name of a file. */
export const file = () => text({ form: 'a file name' });
