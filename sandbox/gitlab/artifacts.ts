import { cp, glob, lstat, mkdir, readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import type { JobPart } from './ci-jobs.ts';
import type { Row, State } from './state.ts';

interface ArtifactSettings {
  readonly paths?: readonly string[];
  readonly exclude?: readonly string[];
  readonly when?: string;
  readonly reports?: Readonly<Record<string, unknown>>;
}

function settingsOf(part: JobPart): ArtifactSettings {
  const settings: ArtifactSettings = part.spec.data['artifacts'] ?? {};
  return settings;
}

/** Copies what `artifacts:` names out of the checkout, where the outcome asks for it, and reads dotenv reports. */
export async function keepArtifacts(
  state: State,
  row: Row,
  part: JobPart,
  work: string,
  status: string,
): Promise<void> {
  const settings = settingsOf(part);
  const when = settings.when ?? 'on_success';
  const wanted = when === 'always' || (status === 'success' ? when === 'on_success' : when === 'on_failure');
  const reports = Object.values(settings.reports ?? {}).flatMap((value) =>
    (Array.isArray(value) ? value : [value]).flatMap((each) => (typeof each === 'string' ? [each] : [])),
  );
  const target = join(state.folder, 'artifacts', String(row.id));
  const patterns = [...(wanted ? (settings.paths ?? []) : []), ...reports].map((pattern) =>
    expandPath(pattern, part, work),
  );
  let kept = 0;
  for (const pattern of patterns) {
    if (isAbsolute(pattern) || normalize(pattern).startsWith('..')) continue;
    for await (const found of glob(pattern.replace(/\/$/, ''), { cwd: work })) {
      if (found === '.git' || found.startsWith('.git/')) continue;
      const from = join(work, found);
      if (!(await lstat(from).catch(() => null))) continue;
      await mkdir(dirname(join(target, found)), { recursive: true });
      await cp(from, join(target, found), { recursive: true, verbatimSymlinks: true });
      kept += 1;
    }
  }
  if (kept > 0) part.artifacts = target;
  const dotenv = settings.reports?.['dotenv'];
  const values: Record<string, string> = {};
  for (const file of Array.isArray(dotenv) ? dotenv : [dotenv]) {
    if (typeof file !== 'string') continue;
    const text = await readFile(join(work, expandPath(file, part, work)), 'utf8').catch(() => '');
    for (const line of text.split('\n')) {
      const match = /^\s*([A-Za-z_]\w*)=(.*)$/.exec(line);
      if (match?.[1]) values[match[1]] = (match[2] ?? '').trim().replace(/^(["'])(.*)\1$/, '$2');
    }
  }
  part.dotenv = values;
}

function expandPath(pattern: string, part: JobPart, work: string): string {
  const text = pattern
    .replaceAll('${CI_PROJECT_DIR}', work)
    .replaceAll('$CI_PROJECT_DIR', work)
    .replaceAll(/\$\{?CI_JOB_NAME\}?/g, part.spec.name)
    .replaceAll(/\$\{?(\w+)\}?/g, (whole, name: string) => part.spec.matrix[name] ?? whole);
  return text.startsWith(`${work}/`) ? text.slice(work.length + 1) : text;
}

/** Unpacks artifacts of earlier jobs into a checkout. */
export async function placeArtifacts(_state: State, work: string, producers: readonly Row[]): Promise<void> {
  for (const producer of producers) {
    if (producer.job?.artifacts)
      await cp(producer.job.artifacts, work, { recursive: true, force: true, verbatimSymlinks: true });
  }
}
