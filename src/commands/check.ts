/** The command `snowgate check`: validates the file with its plugins and warns of what looks wrong. */
import { Command } from 'commander';
import { DEFAULT_FILE, printIssues, readChecked } from './read.ts';
import { CommandFailed, EXIT, paint, print, printJson } from './terminal.ts';

const count = (many: number, what: string) => `${many} ${what}${many === 1 ? '' : 's'}`;

/** Makes the command. */
export function checkCommand(): Command {
  return new Command('check')
    .summary('validate the configuration and warn of what looks wrong')
    .description(
      'Reads the file, the plugins beside it and every file that it names, and tells all that is wrong at once.\n' +
        'Nothing is listened on or connected to. Exit code 1 when the gateway would refuse the file.',
    )
    .argument('[file]', 'the configuration', DEFAULT_FILE)
    .option('--json', 'print the findings as JSON')
    .action(async (file: string, options: { json?: boolean }) => {
      const read = await readChecked(file);
      const { issues } = read.issues;
      const errors = issues.filter((issue) => issue.severity === 'error').length;
      if (options.json) printJson({ ok: errors === 0, file, issues });
      else printIssues(read);
      if (errors > 0)
        throw new CommandFailed(options.json ? '' : `${count(errors, 'error')} in ${file}`, EXIT.wrong);
      if (options.json || read.plan === null) return;
      const { routes, upstreams } = read.plan.config;
      const parts = [count(routes.length, 'route'), count(Object.keys(upstreams).length, 'upstream')];
      for (const severity of ['warning', 'note']) {
        const found = issues.filter((issue) => issue.severity === severity).length;
        if (found > 0) parts.push(count(found, severity));
      }
      print(`${paint('green', '✓')} ${file} is good: ${parts.join(', ')}`);
    });
}
