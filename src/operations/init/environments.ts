/** Environments in the order of a promotion; those of one row are equals. */
const ROWS = [
  ['sandbox', 'playground'],
  ['dev', 'develop', 'development'],
  ['test', 'testing', 'int', 'integration', 'ci'],
  ['qa', 'uat', 'acceptance'],
  ['stage', 'staging', 'stg', 'preprod', 'preproduction'],
  ['canary'],
  ['prod', 'production', 'prd', 'live'],
] as const;

/** Folders whose children are environments. */
const PARENTS: ReadonlySet<string> = new Set(['overlays', 'environments', 'envs', 'env', 'clusters', 'stages']);

/** How late in a promotion an environment comes: 0 first; null where its name does not say. */
function rankOf(environment: string): number | null {
  const words = environment.toLowerCase().split(/[-_.]/);
  const row = ROWS.findIndex((names) => words.some((word) => (names as readonly string[]).includes(word)));
  return row < 0 ? null : row;
}

/** Is it what users run on? */
export function isProduction(environment: string): boolean {
  return rankOf(environment) === ROWS.length - 1;
}

/** Is it a folder whose children are environments? */
export function isParent(segment: string): boolean {
  return PARENTS.has(segment.toLowerCase());
}

/** Index of the path's segment that names an environment: below a folder of environments, else by its name; -1: none. */
export function environmentAt(segments: readonly string[]): number {
  const below = segments.findIndex((_, index) => index > 0 && isParent(segments[index - 1] ?? ''));
  if (below >= 0) return below;
  return segments.findIndex((segment) => rankOf(segment) !== null && !isParent(segment));
}

/** First to last of a promotion, then by name. */
export function byPromotion(a: string, b: string): number {
  return (rankOf(a) ?? ROWS.length) - (rankOf(b) ?? ROWS.length) || a.localeCompare(b);
}

/** The environment that each is promoted from: the nearest of an earlier row; none where names do not say. */
export function promotions(environments: readonly string[]): ReadonlyMap<string, string> {
  const chain = new Map<string, string>();
  for (const environment of environments) {
    const rank = rankOf(environment);
    if (rank === null) continue;
    const before = environments.filter((other) => (rankOf(other) ?? Number.POSITIVE_INFINITY) < rank);
    const nearest = before.toSorted(byPromotion).at(-1);
    const first =
      nearest === undefined ? undefined : before.toSorted(byPromotion).find((one) => rankOf(one) === rankOf(nearest));
    if (first !== undefined) chain.set(environment, first);
  }
  return chain;
}
