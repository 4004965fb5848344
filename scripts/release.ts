import { execFile } from 'node:child_process';
import { glob, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Files that name the release: the components' image, the include lines, the image's label. */
const stamped = [
  'templates/*.yml',
  'examples/**/*.{yml,md}',
  'examples/**/.gitlab-ci.yml',
  'docs/*.md',
  'README.md',
  'Dockerfile',
  'sandbox/own-*.ts',
  'src/operations/**/*.ts',
];

/** Writes a version into every reference to our components and image: `…/sluice/sluice/update@1.2.3`, `…/sluice/sluice:1.2.3`. */
export function stampVersion(text: string, version: string): string {
  return text
    .replaceAll(/(\/sluice\/sluice(?:\/[a-z]+)?[@:])\d+\.\d+\.\d+(?:-[\w.]+)?/g, `$1${version}`)
    .replaceAll(/^ARG VERSION=.*$/gm, `ARG VERSION=${version}`);
}

/** Paths, below the root, of the files that may name the release. */
export async function stampedFiles(root: string): Promise<readonly string[]> {
  const files = new Set<string>();
  for await (const file of glob(stamped, { cwd: root })) files.add(file);
  return [...files].toSorted();
}

/** Stamps the version of package.json everywhere; answers the files that changed. */
export async function stampRelease(root: string): Promise<readonly string[]> {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const changed: string[] = [];
  for (const file of await stampedFiles(root)) {
    const text = await readFile(join(root, file), 'utf8');
    const next = stampVersion(text, version);
    if (next === text) continue;
    await writeFile(join(root, file), next);
    changed.push(file);
  }
  return changed;
}

/** `npm run release`: changesets move the version and write CHANGELOG.md, then the version is stamped everywhere. */
if (import.meta.main) {
  const root = join(import.meta.dirname, '..');
  const npm = ['install', '--package-lock-only', '--ignore-scripts', '--no-audit', '--no-fund'];
  for (const [program, args] of [
    ['changeset', ['version']],
    ['npm', npm],
  ] as const) {
    const { stderr } = await run(program, [...args], { cwd: root });
    process.stderr.write(stderr);
  }
  await stampRelease(root);
  await run(process.execPath, [join(root, 'scripts', 'generate.ts')], { cwd: root });
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  process.stdout.write(`Version ${version} is written. Review, merge, then tag the merge commit: git tag ${version}\n`);
}
