import type { Command, CommandResult } from '../../runner/command.ts';
import { readCommandLine } from '../../runner/cli.ts';
import { composeContext } from '../../runner/compose.ts';
import type { Context } from '../../runner/context.ts';
import { readCredentials } from '../../runner/settings/credentials.ts';
import { givenGitLab, globalFlags } from '../../runner/settings/flags.ts';
import { resolveValues } from '../../runner/settings/values.ts';
import type { Clock } from '../../src/systems/clock.ts';

/** How a command is run inside the test's process. */
export interface RunCommandOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  /** Systems to replace, e.g. the registry. */
  readonly systems?: Partial<Context>;
}

/** Runs a command as `main` does, with real systems; answers its result and what it told, or rejects with its Fault. */
export async function runCommand(
  command: Command,
  args: readonly string[],
  options: RunCommandOptions,
): Promise<CommandResult & { readonly told: readonly string[] }> {
  const invocation = readCommandLine([command.name, ...args], '0', [command]);
  if (invocation.kind !== 'run') throw new Error(`${args.join(' ')} runs nothing`);
  const { given, positional } = invocation;
  const told: string[] = [];
  const tell = (text: string) => void told.push(text);
  const env = { PATH: process.env['PATH'] ?? '', HOME: options.folder, ...options.env };
  const values = resolveValues([...command.flags, ...globalFlags], given, positional, env);
  const context = composeContext({
    values,
    gitlab: givenGitLab(command.flags, values),
    reporter: { step: tell, info: tell, warn: tell, detail: tell },
    clock: options.clock,
    env,
    credentials: readCredentials(env, () => undefined),
    signal: options.signal ?? new AbortController().signal,
    folder: options.folder,
  });
  const act = await command.load();
  return { ...(await act({ ...context, ...options.systems })), told };
}
