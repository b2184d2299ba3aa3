/** The command `snowgate routes`: lists the routes with their upstreams and plugins. */
import { Command } from 'commander';
import { DEFAULT_FILE, readGood } from './read.ts';
import { routeJson, routesTable } from './route-text.ts';
import { print, printJson } from './terminal.ts';

/** Makes the command. */
export function routesCommand(): Command {
  return new Command('routes')
    .summary('list the routes with their upstreams and plugins')
    .description('Lists the routes in the order of the file: methods, host and path, upstreams, plugins.')
    .argument('[file]', 'the configuration', DEFAULT_FILE)
    .option('--json', 'print the routes as JSON')
    .action(async (file: string, options: { json?: boolean }) => {
      const { plan } = await readGood(file);
      if (options.json) printJson(plan.routes.map(routeJson));
      else print(plan.routes.length === 0 ? 'There are no routes.' : routesTable(plan.routes));
    });
}
