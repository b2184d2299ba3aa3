/** The command `snowgate schema`: prints the JSON Schema of gateway.yaml, for editors. */
import { Command } from 'commander';
import { configJsonSchema } from '../config/json-schema.ts';
import { printJson } from './terminal.ts';

/** Makes the command. */
export function schemaCommand(): Command {
  return new Command('schema')
    .summary('print the JSON Schema of gateway.yaml')
    .description(
      'Prints the JSON Schema of gateway.yaml. Save it and name it in the first line of the file, and editors\n' +
        'complete and check what you type:\n' +
        '  # yaml-language-server: $schema=./gateway.schema.json',
    )
    .action(() => printJson(configJsonSchema()));
}
