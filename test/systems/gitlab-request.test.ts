import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { Fault } from '../../src/fault.ts';
import { secret } from '../../src/secret.ts';
import { connectGitLab } from '../../src/systems/gitlab-rest.ts';
import type { GitLabOptions } from '../../src/systems/gitlab-resource.ts';
import { answering, jumpingClock } from './gitlab-answers.ts';

/** As GitLab 19 makes job tokens; longer than any personal token and with dots. */
const jwt = `glcbt-eyJhbGciOiJSUzI1NiJ9.${'eyJ2ZXJzaW9uIjoiMC4xLjAifQ'.repeat(20)}.c2lnbmF0dXJl-_${'x'.repeat(300)}`;
const project = {
  id: 7,
  path_with_namespace: 'shop/delivery',
  web_url: 'http://gitlab.test/shop/delivery',
  http_url_to_repo: 'http://gitlab.test/shop/delivery.git',
  default_branch: 'main',
};

function connect(url: string, more: Partial<GitLabOptions> = {}) {
  const clock = jumpingClock();
  const gitlab = connectGitLab({ url, token: secret('glpat-secret/+token'), tokenKind: 'private', clock, ...more });
  return { gitlab, clock };
}

async function faultOf(promise: Promise<unknown>): Promise<Fault> {
  const error = await promise.then(
    () => new Error('it did not reject'),
    (reason: unknown) => reason,
  );
  if (error instanceof Fault) return error;
  throw error;
}

const report = {
  project: 'shop/delivery',
  sha: 'a'.repeat(40),
  pipelineId: 5,
  ref: 'main',
  name: 'sync: staging/podinfo',
  state: 'running',
  description: 'x',
  targetUrl: 'http://gitlab.test/shop/delivery/-/jobs/1',
} as const;

describe('waiting and trying again', () => {
  test('Retry-After counts seconds and is waited for by the clock handed in', async () => {
    await using server = await answering(
      { status: 429, headers: { 'retry-after': '2' }, body: 'Retry later\n' },
      { body: project },
    );
    const { gitlab, clock } = connect(server.url);
    expect((await gitlab.project('shop/delivery'))?.id).toBe(7);
    expect(clock.waits).toEqual([2000]);
    expect(server.received[0]?.path).toBe('/api/v4/projects/shop%2Fdelivery');
    expect(server.received[0]?.headers['private-token']).toBe('glpat-secret/+token');
  });

  test('RateLimit-Reset is a second of the server’s own clock', async () => {
    const sent = new Date('2026-01-01T00:00:00Z');
    await using server = await answering(
      {
        status: 429,
        headers: { date: sent.toUTCString(), 'ratelimit-reset': String(sent.getTime() / 1000 + 30) },
        body: {},
      },
      { body: project },
    );
    const { gitlab, clock } = connect(server.url);
    await gitlab.project('7');
    expect(clock.waits).toEqual([30_000]);
  });

  test('a 429 without headers and with a plain-text body is tried again after a growing pause', async () => {
    await using server = await answering(
      { status: 429, body: 'Retry later' },
      { status: 429, body: 'Retry later' },
      { body: project },
    );
    const { gitlab, clock } = connect(server.url);
    await gitlab.project('7');
    expect(clock.waits).toHaveLength(2);
    expect(clock.waits[1]).toBeGreaterThan(clock.waits[0]!);
  });

  test('who is asked to wait longer than the patience gives up at once', async () => {
    await using server = await answering({ status: 429, headers: { 'retry-after': '3600' }, body: 'Retry later' });
    const { gitlab, clock } = connect(server.url);
    expect((await faultOf(gitlab.project('7'))).code).toBe('gitlab_unavailable');
    expect(clock.waits).toEqual([]);
    expect(server.received).toHaveLength(1);
  });

  test.each([502, 503, 504])('reading is tried again on %i, to the end', async (status) => {
    await using server = await answering({ status, body: '<html>Bad</html>' });
    const { gitlab } = connect(server.url, { tries: 4 });
    const fault = await faultOf(gitlab.project('7'));
    expect(fault.code).toBe('gitlab_unavailable');
    expect(fault.message).toContain(String(status));
    expect(fault.message).not.toContain('<html>');
    expect(server.received).toHaveLength(4);
  });

  test.each([400, 500])('reading is not tried again on %i', async (status) => {
    await using server = await answering({ status, body: { message: 'no' } });
    const { gitlab } = connect(server.url);
    await faultOf(gitlab.project('7'));
    expect(server.received).toHaveLength(1);
  });

  test('a dropped connection is tried again, a refused one too', async () => {
    await using server = await answering({ does: 'reset' }, { body: project });
    expect((await connect(server.url).gitlab.project('7'))?.id).toBe(7);
    const { gitlab, clock } = connect('http://127.0.0.1:2', { tries: 3 });
    expect((await faultOf(gitlab.project('7'))).code).toBe('gitlab_unavailable');
    expect(clock.waits).toHaveLength(2);
  });

  test('one try has a limit', async () => {
    await using server = await answering({ does: 'hang' }, { body: project });
    const { gitlab, clock } = connect(server.url, { tryTimeoutMs: 500 });
    expect((await gitlab.project('7'))?.id).toBe(7);
    expect(clock.waits).not.toEqual([]);
  });

  test('a post that may have been carried out is not sent twice', async () => {
    for (const answer of [{ status: 502 }, { status: 503 }, { does: 'reset' as const }]) {
      await using server = await answering(answer);
      const { gitlab } = connect(server.url);
      expect((await faultOf(gitlab.postStatus(report))).code).toBe('gitlab_unavailable');
      expect(server.received).toHaveLength(1);
    }
  });

  test('a status post waits for the lock, by whichever code GitLab says it', async () => {
    await using server = await answering(
      { status: 409, body: { message: 'Another update to this commit status is in progress' } },
      { status: 400, body: { message: 'Failed to obtain a lock' } },
      { status: 429, body: 'Retry later' },
      { status: 201, body: { id: 3, pipeline_id: 5 } },
    );
    const { gitlab } = connect(server.url);
    expect(await gitlab.postStatus(report)).toEqual({ outcome: 'posted', id: 3, pipelineId: 5, message: '' });
    expect(server.received).toHaveLength(4);
  });

  test('a conflict of a merge request is no lock', async () => {
    await using server = await answering(
      { status: 409, body: { message: ['Another open merge request already exists for this source branch: !1'] } },
      { body: [] },
    );
    const { gitlab } = connect(server.url);
    const fields = { sourceBranch: 'sluice/a', targetBranch: 'main', title: 't', description: '', labels: [] };
    expect((await faultOf(gitlab.createMergeRequest('7', fields))).code).toBe('branch_taken');
    expect(server.received.map(({ method }) => method)).toEqual(['POST', 'GET']);
  });

  test('the signal’s reason ends waiting and asking', async () => {
    await using server = await answering({ does: 'hang' });
    const stop = new AbortController();
    const reason = new Fault('terminated', 'canceled');
    const asked = connect(server.url).gitlab.within(stop.signal).project('7');
    setTimeout(() => stop.abort(reason), 20);
    await expect(asked).rejects.toBe(reason);
  });
});

describe('secrets', () => {
  test.each([
    { status: 401, body: { message: '401 Unauthorized' } },
    { status: 403, body: { error: 'insufficient_scope', error_description: 'x' } },
    { status: 404, body: { message: '404' } },
    { status: 500, body: `echo ${jwt} ${Buffer.from(`user:${jwt}`).toString('base64')}` },
    { status: 200, body: 'not json' },
    { status: 200, body: { id: jwt } },
    { does: 'reset' as const },
  ])('no error holds the token: %j', async (answer) => {
    await using server = await answering(answer);
    const gitlab = connectGitLab({
      url: server.url,
      token: secret(jwt),
      tokenKind: 'private',
      clock: jumpingClock(),
      tries: 2,
    });
    const error: unknown = await gitlab.me().catch((reason: unknown) => reason);
    const shown = inspect(error, { depth: Infinity, showHidden: true, getters: true });
    expect(error).toBeInstanceOf(Fault);
    expect(shown).not.toContain(jwt.slice(0, 40));
    expect(shown).not.toContain(Buffer.from(jwt).toString('base64').slice(4, 40));
    expect(server.received[0]?.headers['private-token']).toBe(jwt);
  });

  test('a redirect to another place is not followed', async () => {
    await using other = await answering({ body: project });
    await using server = await answering({ status: 301, headers: { location: `${other.url}/api/v4/projects/7` } });
    const fault = await faultOf(connect(server.url).gitlab.project('7'));
    expect(fault.message).toContain(other.url);
    expect(other.received).toEqual([]);
  });

  test('a moved project is followed on the same GitLab', async () => {
    await using server = await answering(
      { status: 301, headers: { location: '/api/v4/projects/8' } },
      { body: { ...project, id: 8 } },
    );
    expect((await connect(server.url).gitlab.project('shop/old'))?.id).toBe(8);
  });

  test('a path cannot leave the API', async () => {
    await using server = await answering({ body: project });
    await expect(connect(server.url).gitlab.project('..')).rejects.toThrow('not an address');
    expect(server.received).toEqual([]);
  });

  test('what is needed is said with the refusal', async () => {
    await using server = await answering({ status: 403, body: { message: '403 Forbidden' } });
    const fault = await faultOf(connect(server.url).gitlab.postStatus(report));
    expect(fault.code).toBe('token_refused');
    expect(fault.hint).toMatch(/scope api.*Developer.*protected.*Maintainer/);
  });

  test('a job token posts no status and asks for its agents by its own header', async () => {
    await using server = await answering({
      body: { allowed_agents: [{ id: 4, config_project: { id: 9 } }], job: { id: 1 } },
    });
    const { gitlab } = connect(server.url, { tokenKind: 'job' });
    expect((await faultOf(gitlab.postStatus(report))).code).toBe('token_refused');
    expect(await gitlab.allowedAgents()).toEqual([{ id: 4, configProject: '9' }]);
    expect(server.received).toHaveLength(1);
    expect(server.received[0]?.headers['job-token']).toBe('glpat-secret/+token');
    expect(server.received[0]?.headers['private-token']).toBeUndefined();
  });
});

describe('answers', () => {
  test('pages are followed by Link, never to another host', async () => {
    const row = (id: number) => ({ id, name: 'sync: staging/a', status: 'running', author: { username: 'bot' } });
    await using server = await answering(
      { headers: { link: '<http://elsewhere.test/api/v4/x?page=2&per_page=100>; rel="next"' }, body: [row(1)] },
      { body: [row(2)] },
    );
    const { gitlab } = connect(server.url);
    const rows = await gitlab.statuses('7', 'a'.repeat(40), { pipelineId: 5, name: 'sync: staging/a' });
    expect(rows.map(({ id }) => id)).toEqual([1, 2]);
    const first = new URL(server.received[0]!.path, server.url).searchParams;
    expect([first.get('pipeline_id'), first.get('name'), first.get('per_page')]).toEqual([
      '5',
      'sync: staging/a',
      '100',
    ]);
    expect(new URL(server.received[1]!.path, server.url).searchParams.get('page')).toBe('2');
  });

  test('GitLab below a path, with or without the API’s own part', async () => {
    await using server = await answering({ body: project });
    await connect(`${server.url}/git/`).gitlab.project('7');
    await connect(`${server.url}/git/api/v4`).gitlab.project('7');
    expect(server.received.map(({ path }) => path)).toEqual(['/git/api/v4/projects/7', '/git/api/v4/projects/7']);
  });

  test('a status goes to its pipeline without ref, or by ref where no pipeline is known', async () => {
    await using server = await answering({ status: 201, body: { id: 3, pipeline_id: 5 } });
    const { gitlab } = connect(server.url);
    await gitlab.postStatus(report);
    await gitlab.postStatus({ ...report, pipelineId: null, targetUrl: null });
    const [first, second] = server.received.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
    expect(first).toEqual({
      state: 'running',
      name: 'sync: staging/podinfo',
      description: 'x',
      target_url: report.targetUrl,
      pipeline_id: 5,
    });
    expect(second).toEqual({ state: 'running', name: 'sync: staging/podinfo', description: 'x', ref: 'main' });
  });

  const transition = (event: string, from: string) =>
    `Cannot transition status via :${event} from :${from} (Reason(s): Status cannot transition via "${event}")`;
  test.each([
    [400, transition('run', 'running'), 'running', 'same'],
    [400, transition('enqueue', 'pending'), 'pending', 'same'],
    [400, transition('enqueue', 'running'), 'pending', 'out-of-order'],
    [400, transition('skip', 'running'), 'skipped', 'out-of-order'],
    [400, { name: ['has already been taken'] }, 'running', 'invalid'],
    [400, { target_url: ['is blocked: Only allowed schemes are http, https'] }, 'running', 'invalid'],
    [404, '404 Pipeline for pipeline_id, sha and ref Not Found', 'running', 'pipeline-missing'],
    [404, '404 Commit Not Found', 'running', 'commit-missing'],
    [422, 'The number of jobs has exceeded the limit', 'running', 'invalid'],
  ] as const)('%i %j for %s is %s', async (status, message, state, outcome) => {
    await using server = await answering({ status, body: { message } });
    const answer = await connect(server.url).gitlab.postStatus({ ...report, state });
    expect(answer.outcome).toBe(outcome);
    expect(answer.message).not.toBe('');
    expect(server.received).toHaveLength(1);
  });
});
