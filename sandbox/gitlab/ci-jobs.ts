import type { VariableFields } from './handle.ts';

/** A job of `.gitlab-ci.yml` after includes, rules and matrices. */
export interface JobSpec {
  readonly name: string;
  /** Its key in the file; others with the same one come from a matrix. */
  readonly baseName: string;
  readonly stage: string;
  readonly when: string;
  readonly allowFailure: boolean | { readonly exit_codes: number | readonly number[] };
  readonly needs: readonly { readonly job: string; readonly artifacts: boolean; readonly optional: boolean }[] | null;
  readonly matrix: Readonly<Record<string, string>>;
  readonly globals: Readonly<Record<string, unknown>>;
  /** The job's own keys, expanded. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** What a job is beyond its row. */
export interface JobPart {
  readonly spec: JobSpec;
  readonly token: string;
  /** May it still use its token? */
  alive: boolean;
  environment: string | null;
  resourceGroup: string | null;
  exitCode: number | null;
  log: () => string;
  raw: () => string;
  /** Folder with its artifacts, once it has any. */
  artifacts: string | null;
  dotenv: Readonly<Record<string, string>>;
  cancel: (() => void) | null;
  variables: readonly VariableFields[];
}

const reserved = new Set([
  'include',
  'stages',
  'variables',
  'default',
  'workflow',
  'image',
  'services',
  'cache',
  'before_script',
  'after_script',
  'spec',
]);

/** A job as gitlab-ci-local lists it. */
export interface Listed {
  readonly name: string;
  readonly stage: string;
  readonly when: string;
  readonly allow_failure: JobSpec['allowFailure'];
  readonly needs?: readonly { readonly job: string; readonly artifacts?: boolean; readonly optional?: boolean }[];
}
/** A key of a mapping; undefined where it is none. */
export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/** A job of the list, with what the expanded file says of it. */
export function specOf(job: Listed, expanded: Readonly<Record<string, unknown>>): JobSpec {
  const names = Object.keys(expanded).filter((name) => !reserved.has(name) && !name.startsWith('.'));
  const baseName = names.includes(job.name)
    ? job.name
    : (names.find((name) => job.name.startsWith(`${name}: [`)) ?? job.name);
  const data = expanded[baseName] as Record<string, unknown>;
  const matrix = combinations(field(data['parallel'], 'matrix')).find(
    (values) => job.name === `${baseName}: [${Object.values(values).join(',')}]`,
  );
  return {
    name: matrix ? `${baseName}: [${Object.values(matrix).join(', ')}]` : job.name,
    baseName,
    stage: job.stage,
    when: job.when,
    // A manual job without rules is optional unless it says otherwise.
    allowFailure:
      job.when === 'manual' && !data['rules'] ? ((data['allow_failure'] ?? true) as boolean) : job.allow_failure,
    needs:
      job.needs?.map((need) => ({
        job: need.job,
        artifacts: need.artifacts ?? true,
        optional: need.optional ?? false,
      })) ?? null,
    matrix: matrix ?? {},
    globals: (expanded['variables'] ?? {}) as Record<string, unknown>,
    data,
  };
}

/** All combinations of a `parallel:matrix`. */
function combinations(matrix: unknown): readonly Readonly<Record<string, string>>[] {
  if (!Array.isArray(matrix)) return [];
  return matrix.flatMap((entry: Record<string, unknown>) =>
    Object.entries(entry).reduce<Record<string, string>[]>(
      (sets, [key, value]) =>
        sets.flatMap((set) =>
          (Array.isArray(value) ? value : [value]).map((item) => ({ ...set, [key]: String(item) })),
        ),
      [{}],
    ),
  );
}
