import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { brief, condition, hasApplied, hasFailed } from '../flux-object.ts';
import { startGitServer } from '../git-server.ts';
import { sampleApp } from '../sample-app.ts';
import { setStage } from '../stage.ts';
import { connectWatcher } from '../watcher.ts';

const run = promisify(execFile);

describe('source: git', () => {
  const stage = setStage({ tier: 'core' });
  let server: Awaited<ReturnType<typeof startGitServer>>;
  let work: string;
  // Asynchronous, because the server answers in this very process.
  const git = async (...args: string[]) => {
    const { stdout } = await run('git', [
      '-C',
      work,
      '-c',
      'user.name=Lab',
      '-c',
      'user.email=lab@example.com',
      ...args,
    ]);
    return stdout.trim();
  };

  /** Writes the files below deploy/, commits, pushes to main; gives the commit. */
  async function commit(files: Readonly<Record<string, string>>): Promise<string> {
    mkdirSync(join(work, 'deploy'), { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(work, 'deploy', name), text);
    await git('add', '-A');
    await git('commit', '-q', '-m', 'change');
    await git('push', '-q', `${server.url}/team/delivery.git`, 'HEAD:main');
    return git('rev-parse', 'HEAD');
  }

  beforeAll(async () => {
    const root = join(stage().stack.folder, 'git');
    work = join(stage().stack.folder, 'work');
    const bare = join(root, 'team', 'delivery.git');
    await run('git', ['init', '-q', '--bare', '-b', 'main', bare]);
    await run('git', ['-C', bare, 'config', 'http.receivepack', 'true']);
    await run('git', ['init', '-q', '-b', 'main', work]);
    server = await startGitServer(root);
  });
  afterAll(() => server?.stop());

  test('a commit is fetched over HTTP and applied: the revision names branch and commit', async () => {
    const { scene } = stage();
    const sha = await commit(sampleApp({ namespace: 'demo' }));
    await scene.put('GitRepository', 'delivery', {
      interval: '10m',
      url: `${server.url}/team/delivery.git`,
      ref: { branch: 'main' },
    });
    await scene.put(
      'Kustomization',
      'app',
      scene.kustomizationSpec('delivery', { path: './deploy', sourceRef: { kind: 'GitRepository', name: 'delivery' } }),
    );
    const { object } = await scene.waitFor('Kustomization', 'app', hasApplied(sha));
    expect(object.status?.lastAppliedRevision).toBe(`main@sha1:${sha}`);
    expect(brief(object, 'Healthy')).toBe('Healthy=True Succeeded');
  });

  test('a broken commit fails, the next one heals', async () => {
    const { scene } = stage();
    const broken = await commit(sampleApp({ namespace: 'demo', tag: '2.0.0-broken' }));
    const failed = scene.waitFor(
      'Kustomization',
      'app',
      (seen) => hasFailed('HealthCheckFailed')(seen) && seen.status?.lastAttemptedRevision === `main@sha1:${broken}`,
    );
    await scene.poke('GitRepository', 'delivery');
    expect(condition((await failed).object, 'Ready')?.message).toContain('Deployment/demo/podinfo');
    const fixed = await commit(sampleApp({ namespace: 'demo', tag: '2.0.1' }));
    const healed = scene.waitFor('Kustomization', 'app', hasApplied(fixed));
    await scene.poke('GitRepository', 'delivery');
    expect((await healed).object.status?.lastAppliedRevision).toBe(`main@sha1:${fixed}`);
  });

  test('a branch that is not there: the fetch fails', async () => {
    const { scene } = stage();
    await scene.put('GitRepository', 'absent', {
      interval: '10m',
      url: `${server.url}/team/delivery.git`,
      ref: { branch: 'absent' },
    });
    const { object } = await scene.waitFor(
      'GitRepository',
      'absent',
      (seen) => condition(seen, 'FetchFailed')?.status === 'True',
    );
    expect(condition(object, 'FetchFailed')?.reason).toBe('GitOperationFailed');
  });

  test('sluice follows the commit: synced and failed, by the folder that Flux builds', async () => {
    const { stack } = stage();
    const watcher = await connectWatcher(stack);
    const watch = async (commitId: string) => {
      const urls = [`${server.url}/team/delivery.git`];
      const followed = watcher.followed({
        repository: '',
        source: 'git',
        urls,
        wanted: commitId,
        commit: commitId,
        roots: ['deploy'],
      });
      return (await watcher.watch(followed)).verdict;
    };
    expect(await watch(await commit(sampleApp({ namespace: 'demo', tag: '3.0.0' })))).toMatchObject({
      verdict: 'synced',
    });
    const broken = await watch(await commit(sampleApp({ namespace: 'demo', tag: '3.1.0-broken' })));
    expect(broken).toMatchObject({ verdict: 'failed' });
    expect(broken.message).toContain('podinfo');
    expect(await watch(await commit(sampleApp({ namespace: 'demo', tag: '3.1.1' })))).toMatchObject({
      verdict: 'synced',
    });
  });
});
