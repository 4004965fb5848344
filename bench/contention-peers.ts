import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gitEnv, type Scene, targetOf } from './contention-world.ts';
import { runCommand, runToEnd } from './measure.ts';

/** What writers without sluice do when their push is refused: give up · rebase once · rebase until it lands. */
export type Manner = 'one try' | 'rebase once' | 'rebase and back off';

/** Tries of the patient manner. */
const MOST = 200;

/** Depth-1 clone, edit, commit and push by git alone; seconds and tries, `landed` false where it gave up. */
export async function updateByGit(
  url: string,
  scene: Scene,
  index: number,
  manner: Manner,
): Promise<{ readonly landed: boolean; readonly seconds: number; readonly attempts: number }> {
  const started = performance.now();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const git = (...args: readonly string[]) => runToEnd('git', args, { cwd: folder, env: gitEnv });
  const ended = (landed: boolean, attempts: number) => ({
    landed,
    attempts,
    seconds: (performance.now() - started) / 1000,
  });
  try {
    await runCommand('git', ['clone', '--quiet', '--depth=1', '--', url, '.'], { cwd: folder, env: gitEnv });
    const { file, key } = targetOf(scene, index);
    const path = join(folder, file);
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace(new RegExp(`^${key}: .*$`, 'm'), `${key}: v${index}`));
    await git('commit', '--quiet', '--all', '--message', `v${index}`);
    for (let attempts = 1; ; attempts += 1) {
      if ((await git('push', '--quiet', 'origin', 'HEAD:main')).code === 0) return ended(true, attempts);
      if (manner === 'one try' || (manner === 'rebase once' && attempts === 2) || attempts === MOST) {
        return ended(false, attempts);
      }
      if (manner === 'rebase and back off') {
        const window = Math.min(10_000, 200 * 2 ** Math.min(attempts, 6));
        await new Promise((done) => setTimeout(done, Math.random() * window));
      }
      if ((await git('pull', '--quiet', '--rebase', 'origin', 'main')).code !== 0) return ended(false, attempts);
    }
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
