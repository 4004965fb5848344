import { describe, expect, test } from 'vitest';
import { lookAt } from './look.ts';
import { conditions, deployment, former, kustomization, newer, ociRepository, ours } from './objects.ts';

const at = (digest: string) => `staging@${digest}`;
const source = () => ociRepository(ours);
const entries = (...ids: readonly string[]) => ({ inventory: { entries: ids.map((id) => ({ id, v: 'v1' })) } });
const CHILD = 'flux-system_child_kustomize.toolkit.fluxcd.io_Kustomization';
const TINY = 'flux-system_tiny_helm.toolkit.fluxcd.io_HelmRelease';
const parent = (...ids: readonly string[]) => kustomization(at(ours), { status: entries(...ids) });
const child = (revision: string, more: Parameters<typeof kustomization>[1] = {}) =>
  kustomization(revision, { name: 'child', ...more, status: { ...entries(), ...more.status } });
const name = (settled: { readonly verdict: { readonly verdict: string } | null }) => settled.verdict?.verdict ?? null;

describe('Kustomizations below', () => {
  test('trap 17: a ready parent waits for its children, however late they come', () => {
    const cluster = lookAt();
    expect(name(cluster.look(source(), parent(CHILD)))).toBeNull();
    expect(name(cluster.look(source(), parent(CHILD), child(at(former))))).toBeNull();
    expect(name(cluster.look(source(), parent(CHILD), child(at(ours))))).toBe('synced');
  });

  test('trap 17: a child that does not come is a failure in the end', () => {
    const cluster = lookAt();
    cluster.look(source(), parent(CHILD));
    expect(cluster.pass(31_000).verdict).toMatchObject({ verdict: 'failed', reason: 'NotFound' });
  });

  test('trap 17: objects that apply each other do not loop', () => {
    const back = child(at(ours), {
      status: entries('flux-system_podinfo_kustomize.toolkit.fluxcd.io_Kustomization', CHILD),
    });
    expect(name(lookAt().look(source(), parent(CHILD), back))).toBe('synced');
  });

  test('trap 15: a suspended grandchild is found', () => {
    const grandchild = kustomization(at(ours), { name: 'grandchild', spec: { suspend: true } });
    const middle = child(at(ours), {
      status: entries('flux-system_grandchild_kustomize.toolkit.fluxcd.io_Kustomization'),
    });
    const settled = lookAt().look(source(), parent(CHILD), middle, grandchild);
    expect(settled.verdict).toMatchObject({ verdict: 'suspended', message: expect.stringContaining('grandchild') });
  });

  test('health checks speak for the objects that they name; the others are looked at', () => {
    const healthChecks = [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'podinfo', namespace: 'shop' }];
    const top = kustomization(at(ours), {
      spec: { wait: false, healthChecks },
      status: entries('shop_podinfo_apps_Deployment', 'shop_worker_apps_Deployment'),
    });
    const worker = (readyReplicas: number) => deployment({ name: 'worker', status: { readyReplicas } });
    expect(name(lookAt().look(source(), top, worker(1)))).toBeNull();
    expect(name(lookAt().look(source(), top, worker(2)))).toBe('synced');
  });

  test('a job that is removed when it has ended: green where that was seen, else unknown', () => {
    const top = kustomization(at(ours), { spec: { wait: false }, status: entries('shop_migrate_batch_Job') });
    const job = (type: string) => ({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'migrate', namespace: 'shop' },
      spec: {},
      status: { conditions: conditions([type, 'True', 'Reason']) },
    });
    const busy = kustomization(at(ours), { name: 'later', spec: { wait: false }, status: { conditions: [] } });
    const seen = lookAt();
    expect(name(seen.look(source(), top, job('Complete'), busy))).toBeNull();
    seen.tick(1_000);
    expect(name(seen.look(source(), top))).toBe('synced');
    const unseen = lookAt();
    unseen.look(source(), top);
    expect(unseen.pass(31_000).verdict).toMatchObject({ verdict: 'unknown', reason: 'NotFound' });
    expect(name(lookAt().look(source(), top, job('Failed')))).toBe('failed');
  });

  test('what is applied to another cluster is unknown, unless Flux waits for it there', () => {
    const elsewhere = (wait: boolean, id: string) =>
      kustomization(at(ours), {
        spec: { wait, kubeConfig: { secretRef: { name: 'other' } } },
        status: entries(id),
      });
    const look = (wait: boolean, id: string) => lookAt().look(source(), elsewhere(wait, id)).verdict;
    expect(look(false, 'shop_podinfo_apps_Deployment')).toMatchObject({ verdict: 'unknown', reason: 'AnotherCluster' });
    expect(look(false, TINY)).toMatchObject({ verdict: 'unknown', reason: 'AnotherCluster' });
    expect(look(false, 'shop_settings__ConfigMap')).toMatchObject({ verdict: 'synced' });
    expect(look(true, 'shop_podinfo_apps_Deployment')).toMatchObject({ verdict: 'synced' });
  });

  test('trap 18: a child with a source of its own has no relation to our digest', () => {
    const foreign = child('main@sha1:abc', { spec: { sourceRef: { kind: 'GitRepository', name: 'platform' } } });
    expect(name(lookAt().look(source(), parent(CHILD), foreign))).toBe('synced');
  });

  test('trap 10, 18: the failure of a child with a source of its own counts at once only if it says it is of the present spec', () => {
    const failing = (observedGeneration: number | undefined) =>
      child('main@sha1:abc', {
        generation: 2,
        spec: { sourceRef: { kind: 'GitRepository', name: 'platform' } },
        status: {
          observedGeneration: 1,
          conditions: [{ type: 'Ready', status: 'False', reason: 'BuildFailed', message: 'boom', observedGeneration }],
        },
      });
    expect(name(lookAt().look(source(), parent(CHILD), failing(2)))).toBe('failed');
    const stale = lookAt();
    stale.look(source(), parent(CHILD), failing(1));
    expect(name(stale.pass(120_000))).toBeNull();
    const silent = lookAt();
    silent.look(source(), parent(CHILD), failing(undefined));
    expect(name(silent.pass(30_000))).toBeNull();
    expect(name(silent.pass(60_000))).toBe('failed');
  });

  test('a source that our revision changed must have settled, and its Kustomization have taken it up', () => {
    const ids = [CHILD, 'flux-system_base_source.toolkit.fluxcd.io_OCIRepository'];
    const base = (digest: string, generation: number, observedGeneration: number) =>
      ociRepository(digest, {
        name: 'base',
        tag: 'v2',
        generation,
        spec: { url: 'oci://registry.example.com/platform/base' },
        status: { observedGeneration },
      });
    const fed = (digest: string) =>
      child(`v2@${digest}`, { spec: { sourceRef: { kind: 'OCIRepository', name: 'base' } } });
    expect(name(lookAt().look(source(), parent(...ids), base(former, 2, 1), fed(former)))).toBeNull();
    expect(name(lookAt().look(source(), parent(...ids), base(newer, 2, 2), fed(former)))).toBeNull();
    expect(name(lookAt().look(source(), parent(...ids), base(newer, 2, 2), fed(newer)))).toBe('synced');
  });

  test('a child that may not be read is unknown, not green', () => {
    const cluster = lookAt();
    cluster.refuse('HelmRelease');
    expect(cluster.look(source(), parent(TINY)).verdict).toMatchObject({ verdict: 'unknown', reason: 'Forbidden' });
  });
});
