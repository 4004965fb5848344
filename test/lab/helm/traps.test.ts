import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { helmTypes } from '../artifact-push.ts';
import { startGitServer } from '../git-server.ts';
import { deployment } from '../sample-app.ts';
import { setStage } from '../stage.ts';
import { connectVersions } from '../versions.ts';
import { connectWatcher } from '../watcher.ts';
import type { Watcher } from '../watcher.ts';

const run = promisify(execFile);

/** The Role for releases whose values are delivered, bound as the README of the roles says. */
const askConsumers = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: sluice-ask-consumers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: sluice-ask-consumers}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: 'gitlab:project_env:42:staging'}]
`;

/** The numbers are those of docs/truth-table.md and of the tests of test/watch/traps-*.test.ts. */
describe('traps of HelmReleases', () => {
  const stage = setStage({ tier: 'helm' }, ['values', 'halted', 'revised', 'versioned']);
  let watcher: Watcher;
  let git: Awaited<ReturnType<typeof startGitServer>>;
  const { push, follow, watch } = connectVersions(stage, () => watcher);

  const template = () => deployment('{{ .Release.Name }}', '{{ .Values.tag }}');
  const release = (name: string, more: object) => ({
    apiVersion: 'helm.toolkit.fluxcd.io/v2',
    kind: 'HelmRelease',
    metadata: { name, namespace: 'flux-system' },
    spec: {
      interval: '10m',
      timeout: '20s',
      targetNamespace: name,
      releaseName: name,
      install: { remediation: { retries: 0 } },
      upgrade: { timeout: '8s', remediation: { retries: 0, remediateLastFailure: true } },
      ...more,
    },
  });

  beforeAll(async () => {
    const { scene, stack } = stage();
    watcher = await connectWatcher(stack);
    git = await startGitServer(join(stack.folder, 'git'));
    await scene.push(
      'charts/app',
      {
        'app/Chart.yaml': 'apiVersion: v2\nname: app\nversion: 1.0.0\n',
        'app/values.yaml': 'tag: 1.0.0\n',
        'app/templates/deployment.yaml': template(),
      },
      { types: helmTypes, config: { apiVersion: 'v2', name: 'app', version: '1.0.0' } },
    );
    const layerSelector = { mediaType: helmTypes.layer, operation: 'copy' };
    await scene.put('OCIRepository', 'chart', scene.ociSpec('charts/app', { layerSelector }));
    await scene.waitFor('OCIRepository', 'chart', ({ status }) => status?.artifact !== undefined);
  });
  afterAll(() => git?.stop());

  /** An artifact with a release of the chart and its values in a ConfigMap whose name does not change. */
  const withValues = (name: string, tag: string) => ({
    'release.yaml': JSON.stringify(
      release(name, {
        chartRef: { kind: 'OCIRepository', name: 'chart' },
        valuesFrom: [{ kind: 'ConfigMap', name: `${name}-values` }],
      }),
    ),
    'values.yaml': JSON.stringify({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `${name}-values`, namespace: 'flux-system' },
      data: { 'values.yaml': `tag: ${tag}` },
    }),
  });

  test('22: only the values change, for the better and for the worse', async () => {
    const { stack } = stage();
    const first = await push('values', withValues('values', '1.0.0'));
    await follow('values');
    await stack.kube.apply(askConsumers);
    expect((await watch(first)).verdict).toMatchObject({ verdict: 'synced' });
    expect((await watch(await push('values', withValues('values', '1.0.1')))).verdict.verdict).toBe('synced');
    const running = await stack.kube.get<object>('/apis/apps/v1/namespaces/values/deployments/values');
    expect(JSON.stringify(running)).toContain('podinfo:1.0.1');
    const { verdict } = await watch(await push('values', withValues('values', '1.0.2-broken')));
    expect(verdict).toMatchObject({ verdict: 'failed', message: expect.stringContaining('flux-system/values') });
  }, 120_000);

  test('15: the release is suspended', async () => {
    const { scene, stack } = stage();
    await stack.kube.apply(askConsumers);
    const first = await push('halted', withValues('halted', '1.0.0'));
    await follow('halted', { wait: false });
    expect((await watch(first)).verdict).toMatchObject({ verdict: 'synced' });
    await scene.patch('HelmRelease', 'halted', { spec: { suspend: true } });
    const { verdict } = await watch(await push('halted', withValues('halted', '1.0.1')));
    expect(verdict).toMatchObject({ verdict: 'suspended', message: expect.stringContaining('HelmRelease') });
  }, 90_000);

  /** A delivery repository in git with a chart in a folder; answers how to commit to it. */
  async function repository(name: string) {
    const { folder } = stage().stack;
    const work = join(folder, 'work', name);
    const bare = join(folder, 'git', 'team', `${name}.git`);
    const inWork = async (...args: string[]) =>
      (
        await run('git', ['-C', work, '-c', 'user.name=Lab', '-c', 'user.email=lab@example.com', ...args])
      ).stdout.trim();
    await run('git', ['init', '-q', '--bare', '-b', 'main', bare]);
    await run('git', ['-C', bare, 'config', 'http.receivepack', 'true']);
    await run('git', ['init', '-q', '-b', 'main', work]);
    return {
      url: `${git.url}/team/${name}.git`,
      commit: async (files: Readonly<Record<string, string>>): Promise<string> => {
        for (const [file, text] of Object.entries(files)) {
          mkdirSync(dirname(join(work, file)), { recursive: true });
          writeFileSync(join(work, file), text);
        }
        await inWork('add', '-A');
        await inWork('commit', '-q', '-m', 'change');
        await inWork('push', '-q', bare, 'HEAD:main');
        return inWork('rev-parse', 'HEAD');
      },
    };
  }

  const chart = (tag: string, version = '0.1.0') => ({
    'chart/Chart.yaml': `apiVersion: v2\nname: app\nversion: ${version}\n`,
    'chart/values.yaml': `tag: ${tag}\n`,
    'chart/templates/deployment.yaml': template(),
  });

  /** A release of a chart in a repository of its own; answers how to commit to it and to get the verdict. */
  async function charted(name: string, strategy: 'Revision' | 'ChartVersion') {
    const { scene, stack } = stage();
    const delivery = await repository(name);
    const first = await delivery.commit(chart('1.0.0'));
    await scene.put('GitRepository', name, { interval: '10m', url: delivery.url, ref: { branch: 'main' } });
    await scene.waitFor('GitRepository', name, ({ status }) => status?.artifact !== undefined);
    const sourceRef = { kind: 'GitRepository', name };
    const spec = { chart: 'chart', sourceRef, reconcileStrategy: strategy };
    await stack.kube.apply(release(name, { chart: { spec } }));
    const verdictOn = async (commit: string) => {
      const urls = [delivery.url];
      const followed = { repository: '', source: 'git', urls, wanted: commit, commit, roots: ['chart'] } as const;
      return (await watcher.watch(watcher.followed(followed), { seconds: 50, touches: async () => true })).verdict;
    };
    expect(await verdictOn(first)).toMatchObject({ verdict: 'synced' });
    return { commit: delivery.commit, verdictOn };
  }

  test('a chart in the repository, `reconcileStrategy: Revision`: each commit is a chart of its own', async () => {
    const { commit, verdictOn } = await charted('revised', 'Revision');
    const second = await commit(chart('1.0.1'));
    expect(await verdictOn(second)).toMatchObject({ verdict: 'synced' });
    const { status } = await stage().scene.get('HelmRelease', 'revised');
    expect(status?.lastAttemptedRevision).toBe(`0.1.0+${second.slice(0, 12)}`);
    expect(status?.history?.[0]).toMatchObject({ chartVersion: `0.1.0+${second.slice(0, 12)}`, status: 'deployed' });
    const bad = await verdictOn(await commit(chart('1.0.2-broken')));
    expect(bad).toMatchObject({ verdict: 'failed', message: expect.stringContaining('revised') });
  }, 150_000);

  test('a chart in the repository, by its version: what changes without a new version is never green', async () => {
    const { commit, verdictOn } = await charted('versioned', 'ChartVersion');
    // Times of artifacts are told to the second.
    await setTimeout(2_000);
    const unbumped = await verdictOn(await commit(chart('1.0.1')));
    expect(unbumped).toMatchObject({ verdict: 'failed', reason: 'ChartVersionUnchanged' });
    expect(await verdictOn(await commit(chart('1.0.1', '0.2.0')))).toMatchObject({ verdict: 'synced' });
    expect(await verdictOn(await commit(chart('1.0.2-broken', '0.3.0')))).toMatchObject({ verdict: 'failed' });
  }, 150_000);
});
