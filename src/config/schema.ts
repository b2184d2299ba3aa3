/** The schema of gateway.yaml: every key, its default and its one line of description. */
export type * from './types.ts';
