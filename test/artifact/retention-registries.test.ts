import { describe, expect, test } from 'vitest';
import type { RegistryOptions } from '../../sandbox/registry/server.ts';
import { secret } from '../../src/secret.ts';
import { tokenService } from '../systems/token-realm.ts';
import { bothApps, config, firstOf, overlay, publishing } from './publishing.ts';
import { commitOn, outcomes, podinfo, pruning, short, versions } from './pruning.ts';

describe('registries', () => {
  const world = (options: RegistryOptions = {}) => publishing(options);

  test('that remove by digest alone lose the manifests whose tags all go', async () => {
    await using shop = await world({ deletes: 'manifests' });
    const commits = await versions(shop, 4);
    const keep = { days: null, count: 2 };
    const pruned = await pruning(shop, commits[3] ?? '', { keep });
    expect(pruned.exit).toBe(0);
    expect([...shop.registry.tags(podinfo).keys()]).toEqual(
      ['staging', ...commits.slice(2).map((one) => `staging-${short(one)}`)].sort(),
    );
  });

  test('in which deletion is not enabled say so', async () => {
    await using shop = await world({ deletes: 'nothing' });
    const commits = await versions(shop, 4);
    const pruned = await pruning(shop, commits[3] ?? '', { keep: { days: null, count: 3 } });
    expect(pruned.exit).toBe(3);
    expect(pruned.tags.find(({ outcome }) => outcome === 'failed')?.fault).toMatchObject({
      code: 'registry_refused',
      hint: expect.stringContaining('storage.delete.enabled'),
    });
    expect(shop.registry.tags(podinfo).size).toBe(5);
  });

  test.each([
    ['protected', 403, 'tag is protected', 'protected', 0],
    ['immutable', 400, 'tag is immutable', 'protected', 0],
    ['denied', 403, 'requested access to the resource is denied', 'failed', 7],
    ['unavailable', 503, 'try again', 'failed', 6],
  ])('that answer %s are told apart, and the other tags go', async (_, status, message, outcome, exit) => {
    await using shop = await world();
    const commits = await versions(shop, 5);
    const tag = `staging-${short(commits[0] ?? '')}`;
    const body = JSON.stringify({ errors: [{ code: 'DENIED', message }] });
    shop.registry.faults.add({ method: 'DELETE', path: new RegExp(`${tag}$`), status, body });
    const pruned = await pruning(shop, commits[4] ?? '', { keep: { days: null, count: 3 } });
    expect(pruned.exit).toBe(exit);
    expect(outcomes(pruned)).toMatchObject({ [tag]: outcome, [`staging-${short(commits[1] ?? '')}`]: 'removed' });
    expect(shop.registry.tags(podinfo).has(tag)).toBe(true);
  });

  test('with GitLab’s tokens the right to delete is asked for', async () => {
    const users = { 'gitlab-ci-token': { password: 'job-token-value', actions: ['pull', 'push', 'delete'] } };
    await using tokens = await tokenService(users);
    const credential = (host: string) => [{ host, user: 'gitlab-ci-token', password: secret('job-token-value') }];
    await using shop = await publishing({ auth: tokens.auth, credentials: credential });
    const commits = await versions(shop, 4);
    const keep = { days: null, count: 2 };
    const pruned = await pruning(shop, commits[3] ?? '', { keep }, credential(shop.registry.host));
    expect(pruned.tags.filter(({ outcome }) => outcome === 'removed')).toHaveLength(2);
  });

  test('a run that ends in the middle is completed by the next', async () => {
    await using shop = await world();
    const sha = await commitOn(shop, 0, {
      'sluice.yaml': bothApps,
      ...overlay('web', 'staging'),
      ...overlay('podinfo', 'staging'),
    });
    await shop.publish(sha, { config: bothApps });
    const next = await commitOn(shop, 1, { 'sluice.yaml': config });
    const abort = new AbortController();
    shop.registry.faults.add({ method: 'DELETE', path: /./, times: 1, until: new Promise<void>(() => {}) });
    const running = pruning(shop, next, { signal: abort.signal });
    await shop.registry.seen(({ method }) => method === 'DELETE');
    abort.abort(new Error('canceled'));
    await expect(running).rejects.toThrow('canceled');
    shop.registry.faults.clear();
    expect(shop.registry.tags('shop/delivery/web').size).toBeGreaterThan(0);
    await pruning(shop, next);
    expect(shop.registry.tags('shop/delivery/web').size).toBe(0);
    expect(firstOf(await shop.publish(next)).outcome).toBe('unchanged');
  });
});
