/** The known name nearest to a mistyped one (edit distance at most a third of its length, at least 2), or undefined. */
export function nearestName(wanted: string, known: Iterable<string>): string | undefined {
  const limit = Math.max(2, Math.floor(wanted.length / 3));
  let best: { name: string; distance: number } | undefined;
  for (const name of known) {
    const distance = editDistance(wanted, name);
    if (distance <= limit && (best === undefined || distance < best.distance)) best = { name, distance };
  }
  return best?.name;
}

/** " Did you mean X?" with all known names where nothing is near. */
export function suggestion(wanted: string, known: readonly string[]): string {
  const near = nearestName(wanted, known);
  if (near !== undefined) return `Did you mean ${near}?`;
  return known.length === 0 ? 'There are none.' : `Known: ${known.join(', ')}.`;
}

/** Levenshtein distance: letters to insert, delete or replace. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length]!;
}
