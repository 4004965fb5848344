import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { config, files, links } from './corpus.ts';
import { publishing } from './publishing.ts';

const golden = JSON.parse(
  await readFile(join(import.meta.dirname, '../golden/content-digests.json'), 'utf8'),
) as Record<string, string>;

/** Content digests of the corpus, by artifact. */
async function digests(order: (paths: string[]) => string[]): Promise<Record<string, string | null>> {
  await using world = await publishing();
  const paths = order(Object.keys(files));
  const half = Math.ceil(paths.length / 2);
  const some = (list: readonly string[]) => Object.fromEntries(list.map((path) => [path, files[path] ?? '']));
  await world.commit(some(paths.slice(0, half)));
  await world.commit(links, { mode: '120000' });
  const sha = await world.commit(some(paths.slice(half)));
  const { publication } = await world.publish(sha, { config, dryRun: true });
  return Object.fromEntries(publication.artifacts.map(({ artifact, contentDigest }) => [artifact, contentDigest]));
}

test.each([
  ['as it is', (paths: string[]) => paths, undefined, 0o022],
  ['other order of commits, umask and time zone', (paths: string[]) => paths.toReversed(), 'Pacific/Kiritimati', 0],
])('the corpus keeps its content digests: %s', async (_, order, zone, mask) => {
  const before = process.umask(mask);
  const { TZ } = process.env;
  if (zone !== undefined) process.env['TZ'] = zone;
  try {
    const { 'names and modes': _names, ...wanted } = golden;
    expect(await digests(order)).toEqual(wanted);
  } finally {
    process.umask(before);
    if (TZ === undefined) delete process.env['TZ'];
    else process.env['TZ'] = TZ;
  }
});
