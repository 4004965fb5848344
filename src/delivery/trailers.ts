/** One `Key: value` line of a commit message's last paragraph; the value is unfolded to one line. */
export interface Trailer {
  readonly key: string;
  readonly value: string;
}

const GENERATED = ['Signed-off-by: ', '(cherry picked from commit '];
const SCISSORS = '# ------------------------ >8 ------------------------';

const isSpace = (character: string | undefined) => character !== undefined && ' \t\n\r'.includes(character);
const isBlank = (line: string) => /^[ \t\r]*$/.test(line);

/** Length of the key before the separator, or -1: letters, digits and dashes, then only blanks, then the colon. */
function keyLength(line: string): number {
  return /^(?:[A-Za-z0-9-]+[ \t]*)?:/.exec(line)?.[0].replace(/:$/, '').length ?? -1;
}

const isTrailer = (line: string) => keyLength(line) >= 1;

/**
 * The trailers of a commit message by git's own rules (trailer.c, as `git interpret-trailers --parse --no-divider`
 * and `%(trailers)` apply them): the last paragraph, never the first, when all of its lines are trailers or a
 * quarter are and one was written by git.
 */
export function parseTrailers(message: string): readonly Trailer[] {
  const lines = withoutTail(message);
  const start = startOf(lines);
  const folded: string[] = [];
  let open = false;
  for (const line of lines.slice(start)) {
    if (open && isSpace(line[0])) folded.push(`${folded.pop()}\n${line}`);
    else {
      folded.push(line);
      open = isTrailer(line);
    }
  }
  return folded.flatMap((line) => {
    if (line.startsWith('#') || !isTrailer(line)) return [];
    const length = keyLength(line);
    const value = line.slice(length + 1).replaceAll(/\n[ \t\r\n]*/g, ' ');
    return [{ key: line.slice(0, length).trim(), value: trimmed(value) }];
  });
}

/** The message's lines without what git ignores at its end: comments, empty lines, an old conflicts list, scissors. */
function withoutTail(message: string): readonly string[] {
  const cut = message.startsWith(SCISSORS) ? 0 : message.indexOf(`\n${SCISSORS}`) + 1;
  const kept = cut > 0 || message.startsWith(SCISSORS) ? message.slice(0, cut) : message;
  const lines = kept.split('\n');
  const unended = lines.pop() ?? '';
  if (unended !== '') lines.push(unended);
  let end: number | null = null;
  let conflicts = false;
  for (const [index, line] of lines.entries()) {
    if (line.startsWith('#') || line === '') end ??= index;
    else if (line === 'Conflicts:' && (unended === '' || index < lines.length - 1)) {
      conflicts = true;
      end ??= index;
    } else if (!(conflicts && line.startsWith('\t'))) {
      if (end !== null) conflicts = false;
      end = null;
    }
  }
  return lines.slice(0, end ?? lines.length);
}

/** Index of the first line of the trailer block; the number of lines where there is none. */
function startOf(lines: readonly string[]): number {
  const blank = lines.findIndex((line) => !line.startsWith('#') && isBlank(line));
  const title = blank < 0 ? lines.length : blank;
  let spaces = true;
  let generated = false;
  let trailers = 0;
  let others = 0;
  let continuations = 0;
  for (let index = lines.length - 1; index >= title; index -= 1) {
    const line = lines[index]!;
    if (line.startsWith('#')) {
      others += continuations;
      continuations = 0;
    } else if (isBlank(line)) {
      if (spaces) continue;
      others += continuations;
      const block = (generated && trailers * 3 >= others) || (trailers > 0 && others === 0);
      return block ? index + 1 : lines.length;
    } else {
      spaces = false;
      if (GENERATED.some((prefix) => line.startsWith(prefix))) {
        generated = true;
        trailers += 1;
        continuations = 0;
      } else if (isTrailer(line)) {
        trailers += 1;
        continuations = 0;
      } else if (isSpace(line[0])) continuations += 1;
      else {
        others += 1 + continuations;
        continuations = 0;
      }
    }
  }
  return lines.length;
}

function trimmed(text: string): string {
  return text.replaceAll(/^[ \t\r\n]+|[ \t\r\n]+$/g, '');
}
