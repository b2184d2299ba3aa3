/** URLs of the HTTP APIs of registries. */
import { Refusal, text } from '../forms.ts';

/**
 * `http://host:port`, with a path where a proxy stands in front or the API has one.
 * @param example what the remedy shows
 */
export const apiUrl = (example: string) =>
  text({ form: 'a URL', max: 2048, check: (value) => checkUrl(value, example) });

const checkUrl = (value: string, example: string): Refusal | null => {
  const remedy = `Write a URL such as ${example}.`;
  if (/^[^/]+:\d+(\/|$)/.test(value)) return new Refusal('is no URL', `Write http://${value} in full.`);
  if (!/^https?:\/\//i.test(value)) return new Refusal('begins with neither http:// nor https://', remedy);
  if (!URL.canParse(value)) return new Refusal('is no URL', remedy);
  return /[?#]/.test(value) ? new Refusal('goes on after its path', remedy) : null;
};
