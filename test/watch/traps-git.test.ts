import { describe, expect, test } from 'vitest';
import { lookAt, podinfoFromGit } from './look.ts';
import {
  former,
  formerCommit,
  gitRepository,
  helmRelease,
  kustomization,
  newerCommit,
  ourCommit,
  ours,
} from './objects.ts';
import { source, nameOf } from './runs.ts';

describe('source: git', () => {
  const delivery = podinfoFromGit;
  const builds = (path: string, revision: string, title = 'podinfo') =>
    kustomization(revision, { name: title, spec: { sourceRef: { kind: 'GitRepository', name: 'delivery' }, path } });

  test('the commit is compared, and only what builds our root counts', () => {
    const cluster = lookAt(delivery);
    const other = builds('./apps/checkout/staging', `main@sha1:${formerCommit}`, 'checkout');
    const settled = cluster.look(
      gitRepository(ourCommit),
      builds('./apps/podinfo/staging/', `main@sha1:${ourCommit}`),
      other,
    );
    expect(nameOf(settled)).toBe('synced');
    expect(settled.verdict?.objects.map((object) => object.name)).toEqual(['delivery', 'podinfo']);
  });

  test.each([
    'git@gitlab.example.com:shop/delivery.git',
    'ssh://git@gitlab.example.com:22/shop/delivery',
    'https://oauth2:x@gitlab.example.com:443/shop/delivery/',
  ])('the repository is known as %s', (url) => {
    const settled = lookAt(delivery).look(
      gitRepository(ourCommit, { spec: { url } }),
      builds('apps/podinfo/staging', `main@sha1:${ourCommit}`),
    );
    expect(nameOf(settled)).toBe('synced');
  });

  test('a Kustomization above our root does not prove that it reaches it', () => {
    const cluster = lookAt(delivery);
    cluster.look(gitRepository(ourCommit), builds('./', `main@sha1:${ourCommit}`, 'everything'));
    const { verdict } = cluster.pass(16_000);
    expect(verdict?.verdict).toBe('unconsumed');
    expect(verdict?.message).toContain('Kustomization flux-system/everything builds ./');
  });

  test('a later commit that still holds our values is followed', () => {
    const cluster = lookAt(delivery);
    cluster.relations.set(newerCommit, 'follow');
    expect(
      nameOf(cluster.look(gitRepository(newerCommit), builds('apps/podinfo/staging', `main@sha1:${newerCommit}`))),
    ).toBe('synced');
  });

  test('another branch is not ours', () => {
    const cluster = lookAt(delivery);
    cluster.look(
      gitRepository(ourCommit, { spec: { ref: { branch: 'next' } } }),
      builds('apps/podinfo/staging', `main@sha1:${ourCommit}`),
    );
    expect(cluster.pass(16_000).verdict?.message).toContain('follows branch next');
  });
});

describe('a chart in the delivery repository', () => {
  const delivery = { ...podinfoFromGit, roots: ['chart'] };
  const sourceRef = { kind: 'GitRepository', name: 'delivery' };
  const charted = (version: string) =>
    helmRelease(version, {
      spec: { chart: { spec: { chart: './chart', sourceRef } }, chartRef: undefined },
      status: { helmChart: 'flux-system/flux-system-tiny' },
    });
  const chart = (commit: string, revision: string, spec: object = {}, storedAt = '2026-11-22T10:00:09Z') => ({
    ...gitRepository(commit, {
      name: 'flux-system-tiny',
      spec: { chart: './chart', sourceRef, reconcileStrategy: 'ChartVersion', ...spec },
      status: {
        observedSourceArtifactRevision: `main@sha1:${commit}`,
        artifact: { revision, lastUpdateTime: storedAt },
      },
    }),
    kind: 'HelmChart',
  });
  const fetched = gitRepository(ourCommit, {
    status: { artifact: { revision: `main@sha1:${ourCommit}`, lastUpdateTime: '2026-11-22T10:00:05Z' } },
  });

  test('by revision: the chart names its commit, whatever else is written earlier', () => {
    const spec = { reconcileStrategy: 'Revision' };
    const [ourChart, oldChart] = [`0.1.0+${ourCommit.slice(0, 12)}`, `0.1.0+${formerCommit.slice(0, 12)}`];
    const early = lookAt(delivery);
    early.look(fetched, chart(ourCommit, oldChart, spec), charted(oldChart));
    expect(nameOf(early.pass(60_000))).toBeNull();
    expect(nameOf(lookAt(delivery).look(fetched, chart(ourCommit, ourChart, spec), charted(oldChart)))).toBeNull();
    expect(nameOf(lookAt(delivery).look(fetched, chart(ourCommit, ourChart, spec), charted(ourChart)))).toBe('synced');
  });

  test('by version: the old chart stands beside the new commit for a moment', () => {
    const cluster = lookAt(delivery);
    expect(nameOf(cluster.look(fetched, chart(ourCommit, '0.1.0'), charted('0.1.0')))).toBeNull();
    cluster.tick(100);
    expect(nameOf(cluster.look(fetched, chart(ourCommit, '0.2.0'), charted('0.1.0')))).toBeNull();
    cluster.look(fetched, chart(ourCommit, '0.2.0'), charted('0.2.0'));
    expect(nameOf(cluster.pass(3_000))).toBe('synced');
  });

  test('by version: what changed in a chart of the same version is not deployed, and never green', () => {
    const standing = chart(ourCommit, '0.1.0', { valuesFiles: ['values.yaml'] }, '2026-11-22T09:00:00Z');
    const cluster = lookAt(delivery);
    cluster.look(fetched, standing, charted('0.1.0'));
    const asking = cluster.pass(3_000);
    expect([nameOf(asking), asking.touches]).toEqual([null, ['chart\nvalues.yaml']]);
    cluster.touched.set('chart\nvalues.yaml', true);
    expect(cluster.look().verdict).toMatchObject({ verdict: 'failed', reason: 'ChartVersionUnchanged' });
    const untouched = lookAt(delivery);
    untouched.touched.set('chart\nvalues.yaml', false);
    untouched.look(fetched, standing, charted('0.1.0'));
    expect(nameOf(untouched.pass(3_000))).toBe('synced');
  });
});

describe('HelmRelease of our own source', () => {
  const charted = { chartRef: { kind: 'OCIRepository', name: 'podinfo' } };
  test('trap 3: the digest of the chart is compared, by twelve digits or in full', () => {
    const short = `1.2.0+${ours.slice(7, 19)}`;
    expect(nameOf(lookAt().look(source(), helmRelease(short, { spec: charted })))).toBe('synced');
    const old = helmRelease(`1.2.0+${former.slice(7, 19)}`, { spec: charted });
    expect(nameOf(lookAt().look(source(), old))).toBeNull();
  });

  test.each([ours, `staging@${ours}`])(
    'the digest field is %s, by the kind of tag that the source follows',
    (digest) => {
      const taken = helmRelease('1.2.0', { spec: charted, status: { lastAttemptedRevisionDigest: digest } });
      expect(nameOf(lookAt().look(source(), taken))).toBe('synced');
      const other = helmRelease('1.2.0', {
        spec: charted,
        status: { lastAttemptedRevisionDigest: digest.replace(ours, former) },
      });
      expect(nameOf(lookAt().look(source(), other))).toBeNull();
    },
  );
});
