/** The command line: which commands there are, and how they end. */
import { Command, CommanderError } from 'commander';
import { checkCommand } from './commands/check.ts';
import { endpointsCommand } from './commands/endpoints.ts';
import { explainCommand } from './commands/explain.ts';
import { idCommand } from './commands/id.ts';
import { keyCommand } from './commands/key.ts';
import { routesCommand } from './commands/routes.ts';
import { schemaCommand } from './commands/schema.ts';
import { startCommand } from './commands/start.ts';
import { CommandFailed, EXIT, printError } from './commands/terminal.ts';
import { tokenCommand } from './commands/token.ts';
import { version } from './commands/version.ts';

/** All commands, ready to parse; the documentation is made from it too. */
export function createProgram(): Command {
  const program = new Command('snowgate')
    .description('An edge proxy and API gateway, configured by one YAML file.')
    .version(version(), '-v, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .addHelpText(
      'after',
      '\nFirst steps:\n' +
        '  snowgate check                      is gateway.yaml good?\n' +
        '  snowgate start                      run it; edits of the file are taken up at once\n' +
        '  snowgate explain GET /orders/7      where would this request go, and why?\n' +
        '\nExit codes: 0 all is well, 1 what was checked is wrong, 2 the call is.',
    );
  const commands = [
    startCommand(),
    checkCommand(),
    explainCommand(),
    routesCommand(),
    endpointsCommand(),
    idCommand(),
    tokenCommand(),
    keyCommand(),
    schemaCommand(),
  ];
  for (const command of commands) {
    command.helpOption('-h, --help', 'print this help').copyInheritedSettings(program);
    program.addCommand(command);
  }
  for (const command of [program, ...commands])
    command.exitOverride().showHelpAfterError('(--help tells more)');
  return program;
}

/** A reader that has seen enough, such as `head`, is no fault. */
const bearClosedPipe = (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
};

/** Runs a command line and gives its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', bearClosedPipe);
  try {
    await createProgram().parseAsync(args, { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    // Commander has printed its own message; help asked for is no failure.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (!(error instanceof CommandFailed)) throw error;
    if (error.message !== '') printError(error.message);
    return error.exitCode;
  }
}
