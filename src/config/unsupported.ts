/** Settings of the grammar whose behaviour is not built yet: named as such, never ignored. */

interface Unsupported {
  /** Path pattern; `*` is one step. `=value` restricts it to that value. */
  readonly path: string;
  readonly value?: string;
}

export const unsupported: readonly Unsupported[] = [
  { path: 'environments.*.gates.soak' },
  { path: 'environments.*.gates.statuses' },
];

/** The paths in the file that use something not supported yet. */
export function findUnsupported(file: unknown): readonly (readonly (string | number)[])[] {
  return unsupported.flatMap(({ path, value }) =>
    matches(file, path.split('.'), [])
      .filter((found) => value === undefined || found.value === value)
      .map((found) => found.path),
  );
}

function matches(
  node: unknown,
  steps: readonly string[],
  path: readonly (string | number)[],
): { path: readonly (string | number)[]; value: unknown }[] {
  const [step, ...rest] = steps;
  if (step === undefined) return [{ path, value: node }];
  if (Array.isArray(node))
    return step === '*' ? node.flatMap((item, index) => matches(item, rest, [...path, index])) : [];
  if (typeof node !== 'object' || node === null) return [];
  return Object.entries(node).flatMap(([key, value]) =>
    step === '*' || step === key ? matches(value, rest, [...path, key]) : [],
  );
}
