import { existsSync } from 'node:fs';
import { readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import ignore from 'ignore';
import { walk } from './artifacts.ts';

/** Source-controller's default rules (fluxcd/pkg sourceignore). */
const defaults = [
  '.git/',
  '.gitignore',
  '.gitmodules',
  '.gitattributes',
  '*.jpg',
  '*.jpeg',
  '*.gif',
  '*.png',
  '*.wmv',
  '*.flv',
  '*.tar.gz',
  '*.zip',
  '.github/',
  '.circleci/',
  '.travis.yml',
  '.gitlab-ci.yml',
  'appveyor.yml',
  '.drone.yml',
  'cloudbuild.yaml',
  'codeship-services.yml',
  'codeship-steps.yml',
  '**/.goreleaser.yml',
  '**/.sops.yaml',
  '**/.flux.yaml',
];

interface Rules {
  readonly below: string;
  readonly matcher: ignore.Ignore;
}

function isIgnored(path: string, rules: readonly Rules[]): boolean {
  let isOut = false;
  for (const { below, matcher } of rules) {
    if (below !== '' && !path.startsWith(`${below}/`)) continue;
    const { ignored, unignored } = matcher.test(below === '' ? path : path.slice(below.length + 1));
    if (ignored) isOut = true;
    else if (unignored) isOut = false;
  }
  return isOut;
}

/** Removes empty folders and symbolic links, which artifacts do not carry. */
async function tidy(folder: string, isRoot = true): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await tidy(join(folder, entry.name), false);
    else if (!entry.isFile()) await rm(join(folder, entry.name));
  }
  if (!isRoot && (await readdir(folder)).length === 0) await rmdir(folder);
}

/** Removes from the folder what the default rules, all `.sourceignore` files and `spec.ignore` leave out. */
export async function filterFolder(folder: string, specIgnore: string | null): Promise<void> {
  const paths = await walk(folder);
  const files = paths.filter((path) => path === '.sourceignore' || path.endsWith('/.sourceignore'));
  const nested = await Promise.all(
    files
      .sort((a, b) => a.split('/').length - b.split('/').length)
      .map(async (path): Promise<Rules> => {
        const below = dirname(path) === '.' ? '' : dirname(path);
        return { below, matcher: ignore().add(await readFile(join(folder, path), 'utf8')) };
      }),
  );
  const rules: readonly Rules[] = [
    { below: '', matcher: ignore().add([...defaults]) },
    ...nested,
    ...(specIgnore === null ? [] : [{ below: '', matcher: ignore().add(specIgnore) }]),
  ];
  await Promise.all(paths.filter((path) => isIgnored(path, rules)).map((path) => rm(join(folder, path))));
  if (existsSync(join(folder, '.git'))) await rm(join(folder, '.git'), { recursive: true, force: true });
  await tidy(folder);
}
