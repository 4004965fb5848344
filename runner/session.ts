import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Fault, faultRecord } from '../src/fault.ts';
import { systemClock } from '../src/systems/clock-system.ts';
import type { Invocation } from './cli.ts';
import type { CommandResult } from './command.ts';
import { composeContext } from './compose.ts';
import { exitOf } from './exit.ts';
import { bugText, faultText } from './output/fault-text.ts';
import { redactor } from './output/redact.ts';
import { textReporter } from './output/reporter.ts';
import { readCredentials } from './settings/credentials.ts';
import { givenGitLab, globalFlags, variableOf } from './settings/flags.ts';
import { explainMissing } from './settings/missing.ts';
import { resolveValues } from './settings/values.ts';
import { version } from './version.ts';

const clock = systemClock();
const started = clock.now();
const env = process.env;
const credentials = readCredentials(env, (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
});
const redact = redactor(credentials.known);
const print = (stream: NodeJS.WriteStream, text: string) =>
  new Promise<void>((resolve) => {
    stream.write(redact(text), () => resolve());
  });
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

/** Longer than the final statuses of a run may take. */
const LEAVE_MS = 6_000;
const stop = new AbortController();
const signals = { SIGINT: 'interrupted', SIGTERM: 'terminated' } as const;
for (const [name, code] of Object.entries(signals)) {
  process.on(name, () => {
    if (stop.signal.aborted) return;
    stop.abort(new Fault(code, name === 'SIGINT' ? 'interrupted (SIGINT)' : 'canceled (SIGTERM)'));
  });
}
process.on('uncaughtException', (error) => {
  void leave(error);
});
process.on('unhandledRejection', (error) => {
  void leave(error);
});

/** A command that has begun something (open statuses) gets the time to end it; then the process ends all the same. */
async function leave(error: unknown): Promise<void> {
  if (stop.signal.aborted) return;
  const grace = new Promise((resolve) => {
    setTimeout(resolve, LEAVE_MS);
  });
  stop.abort(error);
  await grace;
  await print(process.stderr, bugText(error, version));
  process.exit(1);
}

/** Runs a command: builds its context, prints its result, writes its reports; answers the exit code. */
export async function runCommand(invocation: Extract<Invocation, { kind: 'run' }>): Promise<number> {
  const { command } = invocation;
  const values = resolveValues([...command.flags, ...globalFlags], invocation.given, invocation.positional, env);
  const reporter = textReporter({
    write: (text) => void process.stderr.write(redact(text)),
    clock,
    verbose: values.boolean('verbose'),
    sections: env['GITLAB_CI'] === 'true',
    color: env['NO_COLOR'] === undefined && (process.stderr.isTTY || env['GITLAB_CI'] === 'true'),
  });
  const context = composeContext({
    values,
    gitlab: givenGitLab(command.flags, values),
    reporter,
    clock,
    env,
    credentials,
    signal: stop.signal,
    folder: process.cwd(),
  });
  let result: CommandResult | undefined;
  let failure: unknown;
  try {
    const act = await command.load();
    result = await act(context);
  } catch (error) {
    failure = explainMissing(error, context.job);
  } finally {
    reporter.end();
  }
  const exit = result?.exit ?? exitOf(failure);
  const seconds = (clock.now() - started) / 1000;
  const document = documentOf(command.name, result, failure, seconds);
  const folder = values.string('report-dir');
  if (folder !== undefined) {
    const { writeReports } = await import('./output/report-files.ts');
    await writeReports(context.files, folder, { command: command.name, document, result, seconds, exit, redact });
  }
  if (values.string('format') === 'json') await print(process.stdout, `${JSON.stringify(document, null, 2)}\n`);
  else if (result && result.text !== '')
    await print(process.stdout, result.text.endsWith('\n') ? result.text : `${result.text}\n`);
  if (result === undefined)
    await print(process.stderr, failure instanceof Fault ? faultText(failure) : bugText(failure, version));
  return exit;
}

function documentOf(
  command: string,
  result: CommandResult | undefined,
  failure: unknown,
  seconds: number,
): Readonly<Record<string, unknown>> {
  const base = { command, durations: { total: seconds } };
  if (result)
    return {
      ...base,
      ...result.record,
      durations: { ...(result.record['durations'] as object | undefined), total: seconds },
    };
  const fault =
    failure instanceof Fault
      ? faultRecord(failure)
      : {
          code: 'bug',
          message: failure instanceof Error ? failure.message : String(failure),
          hint: 'Please report it.',
          docs: 'docs/errors.md',
        };
  return { ...base, outcome: failure instanceof Fault && failure.exit >= 130 ? 'canceled' : 'failed', fault };
}

/**
 * Tells what went wrong before a command could run, in the format and, where it can be written, the report folder asked
 * for; answers the exit code.
 */
export async function refuse(args: readonly string[], error: unknown): Promise<number> {
  const seconds = (clock.now() - started) / 1000;
  const document = documentOf(args[0] ?? '', undefined, error, seconds);
  const folder = unread(args, 'report-dir');
  if (folder !== undefined) {
    const { localFiles } = await import('../src/systems/files-local.ts');
    const { writeReports } = await import('./output/report-files.ts');
    const input = { command: args[0] ?? '', document, result: undefined, seconds, exit: exitOf(error), redact };
    // The first error is the one to tell, and it may be this very folder.
    await writeReports(localFiles(process.cwd(), tmpdir()), folder, input).catch(() => undefined);
  }
  if (unread(args, 'format') === 'json') await print(process.stdout, `${JSON.stringify(document, null, 2)}\n`);
  await print(process.stderr, error instanceof Fault ? faultText(error) : bugText(error, version));
  return exitOf(error);
}

/** The value of a flag on a command line that could not be read. */
function unread(args: readonly string[], flag: string): string | undefined {
  const at = args.lastIndexOf(`--${flag}`);
  const joined = args.findLast((arg) => arg.startsWith(`--${flag}=`))?.slice(flag.length + 3);
  return joined || (at < 0 ? undefined : args[at + 1]) || env[variableOf(flag)] || undefined;
}
