/** The settings of a file registry. */
import { text } from '../forms.ts';
import { file as fileName, table } from '../shapes.ts';
import type { RegistryForm } from './form.ts';

/** Metadata that an instance must have, for kinds that filter by themselves. */
export const metadataFilter = () =>
  table(text({ form: 'text' })).describe('Metadata that an instance must have, with exactly these values.');

export const file = {
  type: 'file',
  summary: 'A watched YAML or JSON file of services and their endpoints.',
  options: { path: fileName().describe('The file; from the folder of this file.') },
  discover: { metadata: metadataFilter() },
  registers: false,
  // Whoever edits a file means it.
  confirm: '0s',
} as const satisfies RegistryForm;
