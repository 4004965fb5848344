interface Version {
  readonly parts: readonly [number, number, number];
  readonly pre: string;
}

function read(word: string): Version | null {
  const [, major, minor = '0', patch = '0', pre = ''] =
    /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([\w.-]+))?(?:\+.*)?$/.exec(word) ?? [];
  return major === undefined ? null : { parts: [Number(major), Number(minor), Number(patch)], pre };
}

/** Order of two versions, negative when a is older. A prerelease comes before its release. */
function compare(a: Version, b: Version): number {
  for (const i of [0, 1, 2] as const) if (a.parts[i] !== b.parts[i]) return a.parts[i] - b.parts[i];
  if (a.pre === b.pre) return 0;
  if (a.pre === '' || b.pre === '') return a.pre === '' ? 1 : -1;
  return a.pre.localeCompare(b.pre, 'en', { numeric: true });
}

function holds(version: Version, term: string): boolean {
  const [, sign = '', word = ''] = /^(>=|<=|>|<|!=|=|\^|~)?\s*(.+)$/.exec(term) ?? [];
  if (/^[*xX]$/.test(word)) return version.pre === '';
  const numbers = word.replace(/(\.[xX*])+$/, '');
  const low = read(numbers);
  if (!low) return false;
  if (version.pre !== '' && low.pre === '') return false;
  const dots = numbers.split('-')[0]?.split('.').length ?? 3;
  const [major, minor] = low.parts;
  const order = compare(version, low);
  const below = (parts: Version['parts']) => compare(version, { parts, pre: '' }) < 0;
  if (sign === '>=') return order >= 0;
  if (sign === '<=') return order <= 0;
  if (sign === '>') return order > 0;
  if (sign === '<') return order < 0;
  if (sign === '!=') return order !== 0;
  if (sign === '^') return order >= 0 && below(major > 0 ? [major + 1, 0, 0] : [0, minor + 1, 0]);
  if (sign === '~') return order >= 0 && below(dots === 1 ? [major + 1, 0, 0] : [major, minor + 1, 0]);
  if (dots === 3) return order === 0;
  return order >= 0 && below(dots === 1 ? [major + 1, 0, 0] : [major, minor + 1, 0]);
}

/** The newest of the words that satisfies a constraint such as `>=1.0.0 <2.0.0`, `1.x`, `^1.2 || 3.*`; null when none does. */
export function newestMatching(words: readonly string[], constraint: string): string | null {
  const choices = constraint.split('||').map((part) =>
    part
      .trim()
      .replaceAll(/(>=|<=|>|<|!=|=|\^|~)\s+/g, '$1')
      .split(/[\s,]+/),
  );
  const fitting = words.flatMap((word) => {
    const version = read(word);
    return version && choices.some((terms) => terms.every((term) => holds(version, term))) ? [{ word, version }] : [];
  });
  return fitting.sort((a, b) => compare(b.version, a.version))[0]?.word ?? null;
}
