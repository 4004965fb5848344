import { describe, expect, test } from 'vitest';
import { lookAt, podinfo } from './look.ts';
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
  const delivery = {
    ...podinfo,
    source: 'git' as const,
    urls: ['https://gitlab.example.com/shop/delivery.git'],
    reference: 'main',
    wanted: ourCommit,
  };
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
