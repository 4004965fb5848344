import { describe, expect, test } from 'vitest';
import { parseRequestBlock } from '../../src/delivery/request-text.ts';
import type { GitLabMergeRequest } from '../../src/systems/gitlab.ts';
import {
  aGitLabForEach,
  api,
  bot,
  gitlab,
  merge,
  PROJECT,
  requestOf,
  requests,
  server,
  update,
} from './request-world.ts';
import { faultOf, START } from './update-world.ts';

aGitLabForEach();

describe('update by merge request', () => {
  test('opens one that says what changes and where it comes from', async () => {
    const result = await update({ args: ['--label', 'deploy'] });
    expect(result).toMatchObject({ exit: 0, record: { outcome: 'merge-request', mode: 'merge-request' } });
    const [request, ...others] = await requests();
    expect(others).toEqual([]);
    expect(request).toMatchObject({
      title: 'Deploy web 1.1.0 to production',
      branch: 'sluice/production/web',
      targetBranch: 'main',
      author: bot.username,
      sha: (result.record['delivery'] as { sha: string }).sha,
    });
    expect(request!.description).toContain('| `apps/web/production/kustomization.yaml` |');
    expect(parseRequestBlock(request!.description)).toMatchObject({
      app: 'web',
      environment: 'production',
      images: ['web:1.1.0'],
      origin: { project: 'shop/web', pipeline: 10 },
    });
    const commit = await gitlab().commit(PROJECT, request!.sha);
    expect(commit?.message).toContain('Sluice-Environment: production\n');
  });

  test('is updated in place by a newer version, and left alone by the same', async () => {
    const first = requestOf(await update());
    const [before] = await requests();
    const again = await update();
    expect(requestOf(again)?.iid).toBe(first?.iid);
    expect((await requests())[0]?.sha).toBe(before?.sha);
    const newer = await update({ image: 'web=:1.2.0', pipeline: 12 });
    expect(requestOf(newer)?.iid).toBe(first?.iid);
    const [request, ...others] = await requests();
    expect(others).toEqual([]);
    expect(request?.title).toBe('Deploy web 1.2.0 to production');
    expect(request?.sha).not.toBe(before?.sha);
    const older = await update({ image: 'web=:1.1.5', pipeline: 11 });
    expect(older).toMatchObject({ exit: 0, record: { outcome: 'superseded' } });
    expect((await requests())[0]?.title).toBe('Deploy web 1.2.0 to production');
  });

  test('is computed anew when the target branch moves', async () => {
    await update();
    await server.seed(PROJECT, new Map([['apps/web/production/note.txt', 'x']]), 'other', { pipeline: false });
    const again = await update();
    expect(again.record.outcome).toBe('merge-request');
    const [request] = await requests();
    const main = await gitlab().commit(PROJECT, 'main');
    expect(parseRequestBlock(request!.description)?.base).toBe(main?.sha);
  });

  test('a branch on which somebody else committed is not touched', async () => {
    await update();
    const person = { author: { name: 'Person', email: 'person@example.com' }, branch: 'sluice/production/web' };
    const sha = await server.seed(PROJECT, new Map([['x', 'y']]), 'mine', { ...person, pipeline: false });
    expect(await faultOf(update({ image: 'web=:1.2.0', pipeline: 11 }))).toMatchObject({
      code: 'branch_taken',
      exit: 3,
    });
    expect((await requests())[0]?.sha).toBe(sha);
    // That of another environment comes all the same.
    const both = await update({ image: 'web=:1.2.0', pipeline: 11, args: ['--environment', 'staging'] });
    expect(both).toMatchObject({
      exit: 3,
      record: { refused: [{ code: 'branch_taken' }], deliveries: [{ environments: ['staging'] }] },
    });
    expect((await requests()).map(({ branch }) => branch).toSorted()).toEqual([
      'sluice/production/web',
      'sluice/staging/web',
    ]);
  });

  test('a commit forged under our name and message is rewritten, not taken for ours', async () => {
    const first = await update();
    const { message } = (await gitlab().commit(PROJECT, (first.record['delivery'] as { sha: string }).sha))!;
    const [head] = (await (await api('GET', '/repository/commits?ref_name=sluice/production/web')).json()) as {
      readonly committer_name: string;
      readonly committer_email: string;
    }[];
    const author = { name: head!.committer_name, email: head!.committer_email };
    const forged = { author, branch: 'sluice/production/web', pipeline: false };
    const sha = await server.seed(PROJECT, new Map([['evil.yaml', 'x']]), message, forged);
    expect((await requests())[0]?.sha).toBe(sha);
    expect(await update()).toMatchObject({ exit: 0, record: { outcome: 'merge-request' } });
    expect((await requests())[0]?.sha).not.toBe(sha);
    expect((await api('GET', '/repository/files/evil.yaml/raw?ref=sluice/production/web')).status).toBe(404);
  });

  test('one whose values stand already is closed, its branch deleted', async () => {
    const opened = requestOf(await update());
    const file = 'apps/web/production/kustomization.yaml';
    const now = START[file]!.replace('1.0.0', '1.1.0');
    await server.seed(PROJECT, new Map([[file, now]]), 'by hand', { pipeline: false });
    expect((await update()).record.outcome).toBe('unchanged');
    expect(await gitlab().mergeRequest(PROJECT, opened!.iid)).toMatchObject({ state: 'closed' });
    expect((await api('GET', `/repository/branches/${encodeURIComponent('sluice/production/web')}`)).status).toBe(404);
  });

  test('where its branch must not be deleted it stays, and nothing fails', async () => {
    const opened = requestOf(await update());
    const file = 'apps/web/production/kustomization.yaml';
    const now = START[file]!.replace('1.0.0', '1.1.0');
    await server.seed(PROJECT, new Map([[file, now]]), 'by hand', { pipeline: false });
    const protection = { name: 'sluice/*', push_access_level: 40, merge_access_level: 40 };
    expect((await api('POST', '/protected_branches', protection)).status).toBe(201);
    expect(await update()).toMatchObject({ exit: 0, record: { outcome: 'unchanged' } });
    expect(await gitlab().mergeRequest(PROJECT, opened!.iid)).toMatchObject({ state: 'closed' });
  });

  test('updates of several images of one app share it, and none is lost', async () => {
    const file = 'apps/web/production/kustomization.yaml';
    const two = `${START[file]!}  - name: worker\n    newTag: 1.0.0\n`;
    await server.seed(PROJECT, new Map([[file, two]]), 'two images', { pipeline: false });
    const first = requestOf(await update());
    const second = await update({ image: 'worker=:3.1.0', pipeline: 11 });
    expect(requestOf(second)?.iid).toBe(first?.iid);
    const text = async () => {
      const answer = await api('GET', `/repository/files/${encodeURIComponent(file)}/raw?ref=sluice/production/web`);
      return answer.text();
    };
    expect(await text()).toBe(two.replace('newTag: 1.0.0', 'newTag: 1.1.0').replace('newTag: 1.0.0', 'newTag: 3.1.0'));
    expect((await requests())[0]?.title).toBe('Deploy web 1.1.0 + 3.1.0 to production');
    // The image that is set again, here to what stands, is no longer carried; an older pipeline's does not come back.
    await update({ image: 'web=:1.0.0', pipeline: 12 });
    expect(await text()).toBe(two.replace(/1\.0\.0(?=\n$)/, '3.1.0'));
    // Whoever may write descriptions cannot put an image into the bot's next commit.
    const [open] = await requests();
    const forged = open!.description.replace(/"carried":"[^"]*"/, '"carried":"e30.00"');
    expect(forged).not.toBe(open!.description);
    await api('PUT', `/merge_requests/${open!.iid}`, { description: forged });
    await update({ image: 'web=:1.2.0', pipeline: 13 });
    expect(await text()).toBe(two.replace('newTag: 1.0.0', 'newTag: 1.2.0'));
  });

  test('a draft stays one, and a person’s own words of the next version do not count as ours', async () => {
    await update();
    const [open] = await requests();
    await api('PUT', `/merge_requests/${open!.iid}`, { title: `Draft: ${open!.title}` });
    await update({ image: 'web=:1.2.0', pipeline: 12 });
    expect((await requests())[0]?.title).toBe('Draft: Deploy web 1.2.0 to production');
  });

  test('after a merge an older version is superseded, where others are squashed too, and the next opens another', async () => {
    server.configureProject(PROJECT, { squash: 'default_on' });
    const opened = requestOf(await update());
    await merge(opened!);
    const late = await update({ image: 'web=:1.0.5', pipeline: 9 });
    expect(late.record.outcome).toBe('superseded');
    const next = await update({ image: 'web=:1.2.0', pipeline: 12 });
    expect(next.record.outcome).toBe('merge-request');
    expect(requestOf(next)?.iid).not.toBe(opened?.iid);
  });

  test('--auto-merge merges, --wait follows to the verdict on the merged commit', async () => {
    const waiting = update({ args: ['--auto-merge', '--wait', '--timeout', '5m'] });
    let merged: GitLabMergeRequest | undefined;
    while (merged === undefined) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      merged = (await requests('all')).find((request) => request.state === 'merged');
    }
    const sha = merged.mergeCommit ?? merged.sha;
    const state = { state: 'failed', name: 'sync: production/web', description: 'Deployment/web: image not found' };
    await api('POST', `/statuses/${sha}`, { ...state, ref: 'main' });
    const result = await waiting;
    expect(result).toMatchObject({ exit: 4, record: { followed: [{ app: 'web', state: 'failed' }] } });
    expect(result.text).toContain('image not found');
  });

  test('environments that arrive in different ways get one commit each, by whoever is configured', async () => {
    const settings = START['sluice.yaml']!.replace(
      'promote_from: staging',
      'promote_from: staging, changes: merge-request',
    );
    await server.seed(PROJECT, new Map([['sluice.yaml', settings]]), 'ways', { pipeline: false });
    const env = { SLUICE_GIT_AUTHOR_NAME: 'Delivery bot', SLUICE_GIT_AUTHOR_EMAIL: 'bot@example.com' };
    const result = await update({ mode: null, args: ['--environment', 'staging'], env });
    expect(result).toMatchObject({
      exit: 0,
      record: {
        deliveries: [
          { outcome: 'pushed', environments: ['staging'] },
          { outcome: 'merge-request', environments: ['production'] },
        ],
      },
    });
    const [head] = (await (await api('GET', '/repository/commits?ref_name=main')).json()) as Record<string, string>[];
    expect(head).toMatchObject({ author_name: 'Delivery bot', committer_email: 'bot@example.com' });
    expect(head?.['message']).toContain('Sluice-Environment: staging\n');
    expect(head?.['message']).not.toContain('production');
    const [open] = await requests();
    const commits = (await (await api('GET', `/merge_requests/${open!.iid}/commits`)).json()) as Record<
      string,
      string
    >[];
    expect(commits.map((commit) => commit['author_email'])).toEqual(['bot@example.com']);
    expect(commits[0]?.['message']).not.toContain('staging');
  });

  test.each(['merge', 'squash'] as const)('in one project, a merge request’s %s opens no other', async (way) => {
    server.configureProject(PROJECT, { squash: way === 'squash' ? 'always' : 'never' });
    const own = { CI_PROJECT_PATH: PROJECT };
    const opened = requestOf(await update({ env: own }));
    await merge(opened!);
    const { sha, message } = (await gitlab().commit(PROJECT, 'main'))!;
    expect(message).not.toContain('Sluice-App');
    const after = { ...own, CI_COMMIT_SHA: sha, CI_COMMIT_MESSAGE: message };
    const again = await update({ env: after, image: 'web=:1.2.0', pipeline: 11 });
    expect(again).toMatchObject({ exit: 0, record: { outcome: 'skipped' } });
    expect(await requests()).toEqual([]);
  });

  test('--dry-run opens nothing', async () => {
    expect((await update({ args: ['--dry-run'] })).record).toMatchObject({ outcome: 'planned', mode: 'merge-request' });
    expect(await requests('all')).toEqual([]);
  });

  test('--dry-run shows what the open one already carries, marked, and writes nothing', async () => {
    const file = 'apps/web/production/kustomization.yaml';
    const two = `${START[file]!}  - name: worker\n    newTag: 1.0.0\n`;
    await server.seed(PROJECT, new Map([[file, two]]), 'two images', { pipeline: false });
    const opened = requestOf(await update());
    const [before] = await requests();
    const second = { image: 'worker=:3.1.0', pipeline: 11 };
    const events: unknown[] = [];
    const leave = server.on((event) => events.push(event));
    const plan = await update({ ...second, args: ['--dry-run'] });
    leave();
    expect([events, await requests('all')]).toEqual([[], [before]]);
    expect(plan.record).toMatchObject({
      outcome: 'planned',
      mode: 'merge-request',
      delivery: null,
      deliveries: [{ mergeRequest: { iid: opened?.iid }, carried: [{ images: [{ name: 'web', tag: '1.1.0' }] }] }],
      manifest: { targets: [{ image: 'web', carried: true }, { image: 'worker' }] },
    });
    expect(plan.text).toBe(
      `# carried by ${opened?.url}: ${file}: images[name=web].newTag 1.0.0 → 1.1.0\n${String(plan.record['diff'])}`,
    );
    const done = await update(second);
    expect(done.record['manifest']).toEqual(plan.record['manifest']);
    expect(done.text).toContain('1.0.0 → 1.1.0 (carried)\n');
    expect(done.text).toContain('1.0.0 → 3.1.0\n');
    // Neither an older pipeline's plan nor one that somebody else's commit stops looks as if it would be done.
    const older = await update({ image: 'web=:1.0.9', pipeline: 9, args: ['--dry-run'] });
    expect(older.record.outcome).toBe('superseded');
    const person = { author: { name: 'Person', email: 'person@example.com' }, branch: 'sluice/production/web' };
    await server.seed(PROJECT, new Map([['x', 'y']]), 'mine', { ...person, pipeline: false });
    expect(await faultOf(update({ ...second, args: ['--dry-run'] }))).toMatchObject({ code: 'branch_taken' });
  });

  test('--dry-run with a token that cannot tell what the open one carries plans the change alone, and says so once', async () => {
    await update();
    const tokenOf = (scopes: readonly string[]) =>
      server.createToken(PROJECT, { name: 'other', scopes, accessLevel: 40 }).token;
    const [git, readOnly] = [tokenOf(['read_repository']), tokenOf(['read_api', 'read_repository'])];
    const args = ['--dry-run', '--environment', 'staging'];
    for (const [token, why] of [
      ['', 'SLUICE_GITLAB_TOKEN is not set'],
      [git, 'insufficient_scope'],
      [readOnly, 'has not signed'],
    ] as const) {
      const env = { SLUICE_GIT_TOKEN: git, SLUICE_GITLAB_TOKEN: token };
      const plan = await update({ image: 'web=:1.2.0', pipeline: 11, args, env });
      expect(plan.record).toMatchObject({ outcome: 'planned', deliveries: [{ carried: [] }, { carried: [] }] });
      expect(plan.told.filter((line) => line.includes('already brings'))).toEqual([expect.stringContaining(why)]);
    }
  });

  test('a token without api scope is told', async () => {
    const { token } = server.createToken(PROJECT, { name: 'git', scopes: ['write_repository'], accessLevel: 40 });
    expect(await faultOf(update({ env: { SLUICE_GITLAB_TOKEN: token } }))).toMatchObject({
      code: 'token_refused',
      exit: 7,
    });
  });
});
