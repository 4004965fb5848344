import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';

/** Values that the checks give to inputs without a default. */
const samples: Readonly<Record<string, string>> = { environment: 'staging', app: 'podinfo', delivery: 'shop/delivery' };

/** Jobs that this project's own pipeline gets from its components. */
const jobs = ['sluice update', 'sluice publish staging', 'sluice sync staging'];

/** A `.gitlab-ci.yml` that includes one component at a commit with the least inputs. */
export function smallestInclude(address: string, template: string): string {
  const [header] = parseAllDocuments(template);
  const { spec } = header!.toJS() as {
    spec: { inputs: Readonly<Record<string, { readonly default?: unknown } | null>> };
  };
  const required = Object.entries(spec.inputs).filter(([, input]) => input?.default === undefined);
  const inputs = Object.fromEntries(required.map(([name]) => [name, samples[name] ?? name]));
  return stringify({ include: [{ component: address, inputs }] });
}

/** Where GitLab is asked, and for what. */
export interface Place {
  /** `CI_API_V4_URL`. */
  readonly api: string;
  /** `CI_SERVER_FQDN/CI_PROJECT_PATH`. */
  readonly project: string;
  /** `CI_PROJECT_ID`. */
  readonly id: string;
  readonly sha: string;
  readonly ref: string;
  /** `CI_PIPELINE_ID`; null: its jobs are not looked at. */
  readonly pipeline: string | null;
  /** Access token with the scope `api`. */
  readonly token: string;
}

/** What is wrong with the components at a commit, by GitLab's own CI lint and by the jobs of the pipeline. */
export async function checkComponents(
  templates: ReadonlyMap<string, string>,
  place: Place,
): Promise<readonly string[]> {
  const ask = async (path: string, body?: unknown): Promise<unknown> => {
    const answer = await fetch(`${place.api}/projects/${place.id}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'private-token': place.token, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${path}: GitLab answers ${answer.status}`);
    return answer.json();
  };
  const faults: string[] = [];
  for (const [name, text] of templates) {
    const content = smallestInclude(`${place.project}/${name}@${place.sha}`, text);
    const lint = (await ask('/ci/lint', { content, dry_run: true, ref: place.ref })) as {
      readonly valid: boolean;
      readonly errors: readonly string[];
      readonly warnings: readonly string[];
    };
    if (!lint.valid) faults.push(...lint.errors.map((error) => `${name}: ${error}`));
    faults.push(...lint.warnings.map((warning) => `${name}: ${warning}`));
  }
  if (place.pipeline === null) return faults;
  const found = (await ask(`/pipelines/${place.pipeline}/jobs?per_page=100`)) as readonly { readonly name: string }[];
  const missing = jobs.filter((job) => !found.some(({ name }) => name === job));
  return [...faults, ...missing.map((job) => `the pipeline has no job "${job}"`)];
}

/** The components of a checkout: name → text. */
export async function componentsOf(root: string): Promise<ReadonlyMap<string, string>> {
  const files = (await readdir(join(root, 'templates'))).filter((file) => file.endsWith('.yml')).toSorted();
  return new Map(
    await Promise.all(
      files.map(
        async (file) => [file.replace('.yml', ''), await readFile(join(root, 'templates', file), 'utf8')] as const,
      ),
    ),
  );
}

/** In this project's own pipeline; `SLUICE_CI_TOKEN` may use the lint. */
if (import.meta.main) {
  const need = (name: string) => {
    const value = process.env[name];
    if (!value) throw new Error(`${name} is not set: this runs in a job of the component project`);
    return value;
  };
  const faults = await checkComponents(await componentsOf(join(import.meta.dirname, '..')), {
    api: need('CI_API_V4_URL'),
    project: `${need('CI_SERVER_FQDN')}/${need('CI_PROJECT_PATH')}`,
    id: need('CI_PROJECT_ID'),
    sha: need('CI_COMMIT_SHA'),
    ref: need('CI_COMMIT_REF_NAME'),
    pipeline: need('CI_PIPELINE_ID'),
    token: need('SLUICE_CI_TOKEN'),
  });
  for (const fault of faults) process.stderr.write(`error: ${fault}\n`);
  process.stdout.write(faults.length === 0 ? 'all components are valid, and their jobs are there\n' : '');
  process.exitCode = faults.length === 0 ? 0 : 1;
}
