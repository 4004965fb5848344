import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { commands, readCommandLine } from '../../runner/cli.ts';
import { globalFlags } from '../../runner/settings/flags.ts';
import { resolveValues } from '../../runner/settings/values.ts';
import { root } from './blocks.ts';

const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Readonly<Record<string, string>>;
};
const gitVerbs = execFileSync('git', ['--list-cmds=main'], { encoding: 'utf8' }).split('\n');

/** What is wrong with a shell text, as far as it can be known without running it: one line for each fault. */
export function shellFaults(text: string): readonly string[] {
  const syntax = syntaxFault(text);
  if (syntax !== undefined) return [syntax];
  return commandsIn(text).flatMap((words) => {
    const fault = commandFault(words);
    return fault === undefined ? [] : [`${words.join(' ')}: ${fault}`];
  });
}

function syntaxFault(text: string): string | undefined {
  try {
    execFileSync('bash', ['-n'], { input: text, stdio: ['pipe', 'pipe', 'pipe'] });
    return undefined;
  } catch (error) {
    return String((error as { stderr: Buffer }).stderr).trim();
  }
}

/** The simple commands of a text, split into words; quotes are taken off, variables stay as written. */
function commandsIn(text: string): readonly (readonly string[])[] {
  const found: string[][] = [];
  let words: string[] = [];
  let word: string | undefined;
  let quote = '';
  const endWord = () => {
    if (word !== undefined) words.push(word);
    word = undefined;
  };
  const endCommand = () => {
    endWord();
    if (words.length > 0) found.push(words);
    words = [];
  };
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (quote !== '') {
      if (char === quote) quote = '';
      else if (char === '\\' && quote === '"') word += text[++at] ?? '';
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (char === '\\') {
      const next = text[++at];
      if (next !== '\n') word = `${word ?? ''}${next ?? ''}`;
    } else if (char === '#' && word === undefined) {
      while (at + 1 < text.length && text[at + 1] !== '\n') at++;
    } else if (/[\n;|&]/.test(char)) endCommand();
    else if (/\s/.test(char)) endWord();
    else word = `${word ?? ''}${char}`;
  }
  endCommand();
  return found;
}

/** What is wrong with one command; undefined: nothing. */
export function commandFault(words: readonly string[]): string | undefined {
  const from = words.findIndex((word) => !/^[A-Za-z_]\w*=/.test(word));
  if (from < 0) return undefined;
  const redirect = words.findIndex((word) => /^\d?[<>]/.test(word));
  const [program, ...args] = words.slice(from, redirect < 0 ? undefined : redirect);
  if (program === 'sluice') return sluiceFault(args);
  if (program === 'git')
    return gitVerbs.includes(args.find((arg, at) => !arg.startsWith('-') && args[at - 1] !== '-C') ?? '')
      ? undefined
      : 'git does not know it';
  if (program === 'npm') {
    const named = args.filter((arg) => !arg.startsWith('-'));
    const script = named[0] === 'run' ? named[1] : named[0];
    return script !== undefined && (script in scripts || script === 'ci')
      ? undefined
      : 'package.json has no such script';
  }
  if (program === 'node' || program === 'npx') {
    const files = args.filter((arg) => /\.(ts|mjs)$/.test(arg));
    return files.length > 0 && files.every((file) => existsSync(join(root, file)))
      ? undefined
      : 'it names no file of ours';
  }
  if (['export', 'cd', 'cat', 'echo', 'cp', 'mkdir'].includes(program!)) return undefined;
  return `${program} cannot be checked; say why with "unchecked:"`;
}

function sluiceFault(args: readonly string[]): string | undefined {
  try {
    const invocation = readCommandLine(args, 'x', commands);
    if (invocation.kind === 'run')
      resolveValues([...invocation.command.flags, ...globalFlags], invocation.given, invocation.positional, {});
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
