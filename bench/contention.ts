import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Manner, updateByGit } from './contention-peers.ts';
import { makeRepository, type Scene, targetOf, updateBySluice, valueAt } from './contention-world.ts';
import { serveRepositories } from './git-host.ts';
import { type BenchOptions, quantile, type Row } from './measure.ts';

interface Landed {
  /** null: it failed. */
  readonly outcome: string | null;
  readonly seconds: number;
  readonly attempts: number;
}

const SCENES: readonly (readonly [Scene, string])[] = [
  ['neighbours', '(a) neighbouring lines'],
  ['files', '(b) different files'],
  ['pipelines', '(c) one app, ordered pipelines'],
];

async function bySluice(url: string, scene: Scene, index: number): Promise<Landed> {
  const { code, seconds, stdout } = await updateBySluice(url, scene, index);
  const record = JSON.parse(stdout) as { outcome: string; deliveries?: readonly { attempts: number }[] };
  const attempts = record.deliveries?.[0]?.attempts ?? 0;
  return { outcome: code === 0 ? record.outcome : null, seconds, attempts };
}

async function byGit(url: string, scene: Scene, index: number, manner: Manner): Promise<Landed> {
  const { landed, ...rest } = await updateByGit(url, scene, index, manner);
  return { outcome: landed ? 'pushed' : null, ...rest };
}

/** Updates whose value is not there although they said that it was pushed; for pipelines: does an older one stand? */
async function lostOf(root: string, name: string, scene: Scene, landed: readonly Landed[]): Promise<number> {
  if (scene === 'pipelines') {
    const { file, key } = targetOf(scene, 1);
    const newest = landed.findLastIndex((each) => each.outcome === 'pushed') + 1;
    return (await valueAt(root, name, file, key)) === `v${newest}` ? 0 : 1;
  }
  let lost = 0;
  for (const [index, each] of landed.entries()) {
    const { file, key } = targetOf(scene, index + 1);
    if (each.outcome !== null && (await valueAt(root, name, file, key)) !== `v${index + 1}`) lost += 1;
  }
  return lost;
}

/**
 * Many writers at once on one bare repository served over HTTP. Floor: the same runs, clone included, one after the
 * other. Beside it: writers by git alone.
 */
export async function benchContention(options: BenchOptions): Promise<readonly Row[]> {
  const root = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const rows: Row[] = [];
  try {
    await using host = await serveRepositories(root);
    let made = 0;
    const play = async (
      writers: number,
      scene: Scene,
      way: 'together' | 'serial',
      write: (url: string, index: number) => Promise<Landed>,
    ) => {
      const name = `delivery-${(made += 1)}`;
      await makeRepository(root, name, writers);
      const all = Array.from({ length: writers }, (_, index) => index + 1);
      const url = `${host.url}/${name}.git`;
      const started = performance.now();
      const landed: Landed[] = [];
      if (way === 'together') landed.push(...(await Promise.all(all.map((index) => write(url, index)))));
      else for (const index of all) landed.push(await write(url, index));
      const wall = (performance.now() - started) / 1000;
      const lost = await lostOf(root, name, scene, landed);
      await rm(join(root, `${name}.git`), { recursive: true, force: true });
      const note = noteOf(scene, landed, lost);
      process.stderr.write(`${writers} ${scene} ${way}: ${wall.toFixed(1)} s, ${note}\n`);
      return { wall, note };
    };
    for (const writers of options.writers) {
      for (const [scene, title] of SCENES) {
        const floor = await play(writers, scene, 'serial', (url, index) => bySluice(url, scene, index));
        const together = await play(writers, scene, 'together', (url, index) => bySluice(url, scene, index));
        rows.push({
          name: `${writers} writers ${title}, wall`,
          value: together.wall,
          floor: floor.wall,
          unit: 's',
          goal: '≤ 2, 0 lost, 0 failed',
          note: together.note,
        });
        for (const manner of ['one try', 'rebase once', 'rebase and back off'] as const) {
          const peer = await play(writers, scene, 'together', (url, index) => byGit(url, scene, index, manner));
          rows.push({
            name: `  git, ${manner}`,
            value: peer.wall,
            floor: null,
            unit: 's',
            goal: 'shown',
            note: peer.note,
          });
        }
      }
    }
    return rows;
  } finally {
    await rm(root, { recursive: true, force: true, maxRetries: 5 });
  }
}

function noteOf(scene: Scene, landed: readonly Landed[], lost: number): string {
  const done = landed.filter((each) => each.outcome !== null);
  const seconds = done.map((each) => each.seconds);
  const attempts = landed.map((each) => each.attempts);
  const times = [0.5, 0.95, 1].map((share) => quantile(seconds, share).toFixed(1)).join('/');
  return [
    scene === 'pipelines' ? `an older one on top: ${lost === 0 ? 'no' : 'yes'}` : `lost ${lost}`,
    `failed ${landed.length - done.length}`,
    ...(scene === 'pipelines' ? [`superseded ${landed.filter((each) => each.outcome === 'superseded').length}`] : []),
    `p50/p95/max ${times} s`,
    `attempts mean ${(attempts.reduce((sum, each) => sum + each, 0) / attempts.length).toFixed(1)} max ${Math.max(...attempts)}`,
  ].join(', ');
}
