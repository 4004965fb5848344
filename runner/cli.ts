import { Command as Program, CommanderError, Option } from 'commander';
import { Fault } from '../src/fault.ts';
import type { Command, Flag } from './command.ts';
import { deliverCommand } from './commands/deliver.ts';
import { demoCommand } from './commands/demo.ts';
import { doctorCommand } from './commands/doctor.ts';
import { editCommand } from './commands/edit.ts';
import { initCommand } from './commands/init.ts';
import { notifyCommand } from './commands/notify.ts';
import { publishCommand } from './commands/publish.ts';
import { schemaCommand } from './commands/schema.ts';
import { syncCommand } from './commands/sync.ts';
import { updateCommand } from './commands/update.ts';
import { globalFlags, variableOf } from './settings/flags.ts';
import type { Given } from './settings/values.ts';

/** Every verb, in the order of the story. */
export const commands: readonly Command[] = [
  editCommand,
  updateCommand,
  publishCommand,
  notifyCommand,
  syncCommand,
  deliverCommand,
  initCommand,
  doctorCommand,
  schemaCommand,
  demoCommand,
];

/** What the command line asks for: a command to run, or a text (help, version) to print. */
export type Invocation =
  | { readonly kind: 'run'; readonly command: Command; readonly given: Given; readonly positional: readonly string[] }
  | { readonly kind: 'text'; readonly text: string };

/** Reads the command line (without node and script). Fault `usage` for what it does not know. */
export function readCommandLine(
  args: readonly string[],
  version: string,
  list: readonly Command[] = commands,
): Invocation {
  let printed = '';
  let invocation: Invocation | undefined;
  const program = new Program('sluice');
  const quiet = (target: Program) =>
    target
      .exitOverride()
      .configureOutput({
        writeOut: (text) => {
          printed += text;
        },
        writeErr: () => {},
        // Asking the streams for their width would load the network, and job logs have none.
        getOutHelpWidth: () => 100,
        getErrHelpWidth: () => 100,
        getOutHasColors: () => false,
        getErrHasColors: () => false,
      })
      .showSuggestionAfterError(true);
  quiet(program)
    .description('Carries an application change through GitLab, the registry and Flux, and brings the answer back.')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .addHelpText(
      'after',
      '\nEvery flag has a variable: --dry-run is SLUICE_DRY_RUN. Exit codes: docs/exit-codes.md.\n',
    );
  for (const command of list) {
    const sub = quiet(program.command(command.name))
      .summary(command.summary)
      .description(command.description)
      .helpOption('-h, --help', 'print help');
    for (const { name, required, variadic, summary } of command.arguments) {
      const text = `${name}${variadic ? '...' : ''}`;
      sub.argument(required ? `<${text}>` : `[${text}]`, summary);
    }
    for (const flag of [...command.flags, ...globalFlags]) sub.addOption(optionOf(flag));
    sub.addHelpText(
      'after',
      `\nExamples:\n${command.examples.map(([what, line]) => `  # ${what}\n  sluice ${line}`).join('\n')}\n`,
    );
    sub.action(() => {
      const given = Object.fromEntries(
        [...command.flags, ...globalFlags].map((flag) => [flag.name, optionValue(sub, flag.name)]),
      );
      invocation = { kind: 'run', command, given, positional: sub.args };
    });
  }
  try {
    program.parse([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: 'text', text: printed };
    if (error.code === 'commander.help') return { kind: 'text', text: program.helpInformation() };
    const command = list.find(({ name }) => name === args[0]);
    throw new Fault('usage', error.message.replace(/^error: /, ''), {
      hint: `See sluice ${command ? `${command.name} ` : ''}--help.`,
    });
  }
  return invocation ?? { kind: 'text', text: program.helpInformation() };
}

function optionOf(flag: Flag): Option {
  const value = flag.type === 'boolean' ? '' : ` <${flag.value ?? 'VALUE'}>`;
  const notes = [
    ...(flag.choices ? [flag.choices.join(' | ')] : []),
    ...(flag.type === 'list' ? ['repeatable'] : []),
    ...(flag.default === undefined ? [] : [`default: ${flag.default}`]),
    variableOf(flag.name),
    ...(flag.gitlab ? [flag.gitlab] : []),
  ];
  const option = new Option(`--${flag.name}${value}`, `${flag.summary} [${notes.join('; ')}]`);
  if (flag.type === 'list')
    option.argParser((text: string, previous: readonly string[] | undefined) => [...(previous ?? []), text]);
  return option;
}

/** What the line gave for a flag; commander takes `--no-x` for the negation of `x`, which is true unless negated. */
function optionValue(program: Program, name: string): Given[string] {
  if (name.startsWith('no-')) return program.getOptionValue(camel(name.slice(3))) === false ? true : undefined;
  return program.getOptionValue(camel(name)) as Given[string];
}

function camel(name: string): string {
  return name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
