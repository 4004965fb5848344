import { describe, expect, test } from 'vitest';
import type { Published } from '../../src/artifact/publish.ts';
import { requestClaims } from '../../src/artifact/request-claims.ts';
import { requestDescription } from '../../src/delivery/request-text.ts';
import { overlay, publishing } from './publishing.ts';

const only = (published: Published) => one(published);
const one = (published: Published, app = 'podinfo', environment = 'staging') => {
  const found = published.publication.artifacts.find((item) => item.app === app && item.environment === environment);
  if (!found) throw new Error(`no ${environment}/${app}`);
  return found;
};
const app = (tag: string) => overlay('podinfo', 'staging', tag);
const repository = 'shop/delivery/podinfo';

describe('never backwards', () => {
  test('an older commit that comes late is superseded, and nothing moves', async () => {
    await using world = await publishing();
    const older = await world.commit(app('1'));
    const newer = await world.commit(app('2'));
    const pushed = one(await world.publish(newer));
    const requests = world.registry.pushes.length;
    const late = await world.publish(older);
    expect(late.exit).toBe(0);
    expect(one(late)).toMatchObject({ outcome: 'superseded', digest: pushed.digest, revision: `main@sha1:${newer}` });
    expect(world.registry.tags(repository).get('staging')).toBe(pushed.digest);
    expect(world.registry.pushes.length).toBe(requests);
  });

  test('contents X, Y, X: the late Y does not win, although the newest had nothing to push', async () => {
    await using world = await publishing();
    const first = await world.commit(app('X'));
    const pushed = one(await world.publish(first));
    const second = await world.commit(app('Y'));
    const third = await world.commit(app('X'));
    expect(one(await world.publish(third))).toMatchObject({ outcome: 'unchanged', digest: pushed.digest });
    expect(one(await world.publish(second))).toMatchObject({ outcome: 'superseded' });
    expect(world.registry.tags(repository).get('staging')).toBe(pushed.digest);
  });

  test('without the ledger the registry’s own annotations guard', async () => {
    await using world = await publishing();
    const older = await world.commit(app('1'));
    const newer = await world.commit(app('2'));
    const pushed = one(await world.publish(newer));
    world.registry.removeManifest('shop/delivery/ledger', 'staging');
    expect(one(await world.publish(older))).toMatchObject({ outcome: 'superseded', digest: pushed.digest });
    expect(one(await world.publish(newer))).toMatchObject({ outcome: 'unchanged', digest: pushed.digest });
    expect([...world.registry.tags('shop/delivery/ledger').keys()]).toContain('staging');
  });

  test('a damaged ledger is rebuilt, and said', async () => {
    await using world = await publishing();
    const sha = await world.commit(app('1'));
    const pushed = one(await world.publish(sha));
    const ledger = world.registry.manifest('shop/delivery/ledger', 'staging');
    const manifest = JSON.parse(Buffer.from(ledger?.content ?? []).toString());
    world.registry.removeBlob('shop/delivery/ledger', manifest.layers[0].digest);
    expect(one(await world.publish(sha))).toMatchObject({ outcome: 'unchanged', digest: pushed.digest });
    expect(world.notices).toEqual([expect.stringContaining('damaged')]);
    expect(one(await world.publish(sha)).reason).toContain('as of');
    expect(world.notices).toHaveLength(1);
  });

  test('after a force-push the new history wins, and that is said', async () => {
    await using world = await publishing();
    const base = await world.commit(app('0'));
    const lost = await world.commit(app('1'));
    await world.publish(lost);
    await world.git.git('delivery.git', ['update-ref', 'refs/heads/main', base]);
    const rewritten = await world.commit(app('2'));
    const result = one(await world.publish(rewritten));
    expect(result).toMatchObject({ outcome: 'pushed' });
    expect(world.registry.tags(repository).get('staging')).toBe(result.digest);
    expect(world.notices).toEqual([expect.stringContaining('rewritten')]);
  });

  test('two pipelines at once: the later commit wins, whoever moves the tag last', async () => {
    await using world = await publishing();
    const base = await world.commit(app('0'));
    await world.publish(base);
    const older = await world.commit(app('1'));
    const newer = await world.commit(app('2'));
    // The older run has read everything and is held before it moves the tag, until the newer one is through.
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    world.registry.faults.add({ method: 'PUT', path: /manifests\/staging$/, times: 1, until: held });
    const slow = world.publish(older);
    await world.registry.seen((request) => request.method === 'PUT' && request.path.endsWith('/manifests/staging'));
    const fast = one(await world.publish(newer));
    release();
    expect(fast.outcome).toBe('pushed');
    expect(one(await slow)).toMatchObject({
      outcome: 'superseded',
      digest: fast.digest,
      revision: `main@sha1:${newer}`,
    });
    expect(world.registry.tags(repository).get('staging')).toBe(fast.digest);
    expect(one(await world.publish(newer))).toMatchObject({ outcome: 'unchanged' });
  });
});

describe('shallow clones', () => {
  test('tell older from newer as a full one does', async () => {
    await using world = await publishing();
    const older = await world.commit(app('1'));
    const first = only(await world.publish(older));
    for (let index = 0; index < 5; index++) await world.commit({ 'unrelated.txt': `${index}` });
    const newer = await world.commit(app('2'));
    const origin = `file://${world.git.path}/delivery.git`;
    await world.git.git('.', ['clone', '--quiet', '--bare', '--depth', '1', origin, 'shallow.git']);
    const folder = `${world.git.path}/shallow.git`;
    const pushed = only(await world.publish(newer, { folder }));
    expect(pushed).toMatchObject({ outcome: 'pushed' });
    expect(pushed.digest).not.toBe(first.digest);
    await world.git.git('delivery.git', ['branch', 'old', older]);
    await world.git.git('.', ['clone', '--quiet', '--bare', '--depth', '1', '--branch', 'old', origin, 'old.git']);
    expect(only(await world.publish(older, { folder: `${world.git.path}/old.git` }))).toMatchObject({
      outcome: 'superseded',
      digest: pushed.digest,
    });
  });
});

describe('gates', () => {
  const gated = `version: 1
environments:
  staging: {clusters: [{name: s, agent: "a/b:c"}], gates: {windows: ["Mon-Fri 08:00-16:00 Europe/Vienna"]}}
apps: {podinfo: {}}
`;
  // Sunday and Monday noon in Vienna.
  const sunday = Date.parse('2026-11-22T11:00:00Z');
  const monday = Date.parse('2026-11-23T11:00:00Z');

  test('hold the tag outside the window, and let it go inside', async () => {
    await using world = await publishing();
    const sha = await world.commit(app('1'));
    const held = await world.publish(sha, { config: gated, now: sunday });
    expect(held.exit).toBe(3);
    expect(one(held)).toMatchObject({ outcome: 'held', reason: expect.stringContaining('windows') });
    expect(world.registry.pushes).toEqual([]);
    expect(one(await world.publish(sha, { config: gated, now: monday })).outcome).toBe('pushed');
    expect(one(await world.publish(sha, { config: gated, now: sunday })).outcome).toBe('unchanged');
  });

  test('a deploy freeze holds; an override passes and is recorded', async () => {
    await using world = await publishing();
    const sha = await world.commit(app('1'));
    expect(one(await world.publish(sha, { deployFreeze: true })).outcome).toBe('held');
    const passed = one(await world.publish(sha, { deployFreeze: true, override: 'hotfix for the shop' }));
    expect(passed).toMatchObject({ outcome: 'pushed', reason: expect.stringContaining('hotfix for the shop') });
  });

  test('what was held still owes its origins an answer', async () => {
    await using world = await publishing();
    await world.publish(await world.commit(app('0')));
    const trailers = (commit: string) =>
      `deploy(staging): podinfo 1\n\nSluice-App: podinfo\nSluice-Environment: staging\nSluice-Source-Project: shop/podinfo\nSluice-Source-Commit: ${commit}\nSluice-Source-Ref: main\nSluice-Source-Pipeline: 7\n`;
    const [a, b] = ['a'.repeat(40), 'b'.repeat(40)];
    const first = await world.commit(app('1'), { message: trailers(a) });
    const held = one(await world.publish(first, { deployFreeze: true }));
    expect(held.origins).toEqual([{ project: 'shop/podinfo', commit: a, ref: 'main', pipeline: 7 }]);
    const second = await world.commit(app('2'), { message: trailers(b) });
    const pushed = one(await world.publish(second));
    expect(pushed.origins.map((origin) => origin.commit)).toEqual([b, a]);
    expect(one(await world.publish(await world.commit(app('3')))).origins).toEqual([]);
  });
});

describe('origins', () => {
  test('of a squashed merge request come from its block', async () => {
    await using world = await publishing();
    await world.publish(await world.commit(app('0')));
    const sha = await world.commit(app('1'), { message: 'Deploy podinfo 1 to staging' });
    const origin = { project: 'shop/podinfo', commit: 'd'.repeat(40), ref: 'main', pipeline: null };
    const block = { app: 'podinfo', environment: 'staging', images: [], origin, base: sha };
    const description = requestDescription(block, [], 'https://gitlab.example.com');
    const requests = [
      { state: 'merged' as const, author: 'bot', description },
      { state: 'merged' as const, author: 'stranger', description: description.replaceAll('d', 'e') },
    ];
    const gitlab = { me: async () => 'bot', commitMergeRequests: async () => requests };
    const mergeRequest = (of: string) => requestClaims(gitlab, 'shop/delivery', of);
    const published = await world.publish(sha, { mergeRequest });
    expect(one(published).origins).toEqual([origin]);
  });

  test('of another project are dropped, and said; those of merged commits are found', async () => {
    await using world = await publishing();
    await world.publish(await world.commit(app('0')));
    const claim = (project: string) =>
      `x\n\nSluice-App: podinfo\nSluice-Environment: staging\nSluice-Source-Project: ${project}\nSluice-Source-Commit: ${'c'.repeat(40)}\n`;
    await world.commit(app('1'), { message: claim('evil/other') });
    const sha = await world.commit(app('2'), { message: claim('shop/podinfo') });
    const published = await world.publish(sha);
    expect(one(published).origins.map((origin) => origin.project)).toEqual(['shop/podinfo']);
    expect(world.notices).toEqual([expect.stringContaining('evil/other')]);
    expect(published.publication.ranges[0]).toMatchObject({ environment: 'staging', until: sha });
  });
});
