type Part = 'any' | 'one' | { readonly ranges: readonly (readonly [string, string])[]; readonly negated: boolean };

/** A pattern for one path segment; null: malformed, matches nothing. */
export type NamePattern = {
  readonly parts: readonly Part[];
  /** What most patterns are, as plain text: a whole name, or (after one `*`) a name's end. */
  readonly plain: { readonly text: string; readonly end: boolean } | null;
} | null;

/** Reads Go's `filepath.Match` syntax: `*`, `?`, `[a-z]`, `[^a]`, `\` escapes (pkg.go.dev/path/filepath#Match). */
export function namePattern(text: string): NamePattern {
  const characters = Array.from(text);
  const parts: Part[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? '';
    if (character === '*') parts.push('any');
    else if (character === '?') parts.push('one');
    else if (character === '[') {
      const set = readSet(characters, at + 1);
      if (set === null) return null;
      parts.push(set.part);
      at = set.end;
    } else {
      const plain = character === '\\' ? characters[++at] : character;
      if (plain === undefined) return null;
      parts.push({ ranges: [[plain, plain]], negated: false });
    }
  }
  return { parts, plain: plainOf(parts) };
}

function plainOf(parts: readonly Part[]): { readonly text: string; readonly end: boolean } | null {
  const end = parts[0] === 'any';
  const texts = (end ? parts.slice(1) : parts).map((part) => {
    const [range] = typeof part === 'string' || part.negated || part.ranges.length !== 1 ? [] : part.ranges;
    return range && range[0] === range[1] ? range[0] : null;
  });
  return texts.includes(null) ? null : { text: texts.join(''), end };
}

/** `start` is behind the bracket; `end` is the closing one. */
function readSet(characters: readonly string[], start: number): { readonly part: Part; readonly end: number } | null {
  const negated = characters[start] === '^';
  const ranges: [string, string][] = [];
  let at = negated ? start + 1 : start;
  const one = (): string | undefined => {
    const next = characters[at++];
    if (next === '-' || next === ']') return undefined;
    return next === '\\' ? characters[at++] : next;
  };
  while (!(characters[at] === ']' && ranges.length > 0)) {
    const low = one();
    if (low === undefined) return null;
    let high: string | undefined = low;
    if (characters[at] === '-') {
      at++;
      high = one();
    }
    if (high === undefined || at >= characters.length) return null;
    ranges.push([low, high]);
  }
  return { part: { ranges, negated }, end: at };
}

/** Does the whole name match? */
export function matchesName(pattern: NamePattern, name: string): boolean {
  if (pattern === null) return false;
  const { parts, plain } = pattern;
  if (plain !== null) return plain.end ? name.endsWith(plain.text) : name === plain.text;
  const characters = Array.from(name);
  let at = 0;
  let index = 0;
  let star = -1;
  let resume = 0;
  while (index < characters.length) {
    const part = parts[at];
    if (part === 'any') {
      star = at++;
      resume = index;
    } else if (part !== undefined && (part === 'one' || inSet(part, characters[index] ?? ''))) {
      at++;
      index++;
    } else if (star >= 0) {
      at = star + 1;
      index = ++resume;
    } else return false;
  }
  while (parts[at] === 'any') at++;
  return at === parts.length;
}

function inSet(part: Exclude<Part, string>, character: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  const inside = part.ranges.some(
    ([low, high]) => (low.codePointAt(0) ?? 0) <= code && code <= (high.codePointAt(0) ?? 0),
  );
  return inside !== part.negated;
}
