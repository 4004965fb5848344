import { parseDuration } from '../../src/config/duration.ts';
import { Fault } from '../../src/fault.ts';
import type { Flag } from '../command.ts';
import type { Values } from '../context.ts';
import { variableOf } from './flags.ts';

type Environment = Readonly<Record<string, string | undefined>>;
/** What the command line gave: true, text, or a list of texts by flag name. */
export type Given = Readonly<Record<string, boolean | string | readonly string[] | undefined>>;

interface Resolved {
  readonly value: boolean | string | readonly string[] | undefined;
  readonly given: boolean;
  readonly from: string;
}

/**
 * Resolves flags: command line > SLUICE_ variable (empty counts as absent) > GitLab's predefined variable > default.
 * Fault `usage` for a value that is no duration, integer, boolean or choice; all are checked at once.
 */
export function resolveValues(
  flags: readonly Flag[],
  given: Given,
  positional: readonly string[],
  env: Environment,
): Values {
  const resolved = new Map(flags.map((flag) => [flag.name, resolve(flag, given[flag.name], env)]));
  const faults = flags.flatMap((flag) => check(flag, resolved.get(flag.name)!));
  if (faults.length > 0) throw new Fault('usage', faults.join('\n'));
  const value = (name: string) => {
    const found = resolved.get(name);
    if (!found) throw new Error(`flag ${name} is not declared`);
    return found.value;
  };
  const text = (name: string) => {
    const found = value(name);
    return typeof found === 'string' && found !== '' ? found : undefined;
  };
  return {
    arguments: positional,
    boolean: (name) => value(name) === true || value(name) === 'true',
    string: text,
    list: (name) => {
      const found = value(name);
      return Array.isArray(found) ? found : [];
    },
    duration: (name) => (text(name) === undefined ? undefined : parseDuration(text(name)!)),
    integer: (name) => (text(name) === undefined ? undefined : Number(text(name))),
    given: (name) => resolved.get(name)?.given ?? false,
    required(name) {
      const found = text(name);
      if (found !== undefined) return found;
      const gitlab = flags.find((flag) => flag.name === name)?.gitlab;
      throw new Fault('usage', `--${name} is missing`, {
        hint: `Give --${name} or set ${variableOf(name)}${gitlab ? ` (in a GitLab job: ${gitlab})` : ''}.`,
      });
    },
  };
}

function resolve(flag: Flag, given: Given[string], env: Environment): Resolved {
  if (given !== undefined && !(Array.isArray(given) && given.length === 0))
    return { value: given, given: true, from: `--${flag.name}` };
  const variable = variableOf(flag.name);
  const text = env[variable];
  if (text !== undefined && text.trim() !== '') {
    const value =
      flag.type === 'list'
        ? text
            .split('\n')
            .map((line) => line.trim())
            .filter((line) => line !== '')
        : flag.type === 'boolean'
          ? readBoolean(text)
          : text;
    return { value, given: true, from: variable };
  }
  const predefined = flag.gitlab === undefined ? undefined : env[flag.gitlab];
  const fallback = predefined || flag.default;
  return {
    value: flag.type === 'list' && fallback !== undefined ? [fallback] : fallback,
    given: false,
    from: predefined ? flag.gitlab! : 'default',
  };
}

function readBoolean(text: string): boolean | string {
  const word = text.trim().toLowerCase();
  if (['true', '1', 'yes', 'on'].includes(word)) return true;
  return ['false', '0', 'no', 'off'].includes(word) ? false : text;
}

function check(flag: Flag, { value, from }: Resolved): string[] {
  const texts = Array.isArray(value) ? value : typeof value === 'string' ? [value] : [];
  if (flag.type === 'boolean' && typeof value === 'string' && value !== 'true' && value !== 'false')
    return [`${from}: "${value}" is neither true nor false`];
  return texts.flatMap((text) => {
    if (flag.choices && !flag.choices.includes(text))
      return [`${from}: "${text}" is not one of ${flag.choices.join(', ')}`];
    if (flag.type === 'duration' && parseDuration(text) === undefined)
      return [`${from}: "${text}" is no duration (90s, 15m, 1h30m)`];
    if (flag.type === 'integer' && !/^\d{1,15}$/.test(text)) return [`${from}: "${text}" is no whole number`];
    return [];
  });
}
