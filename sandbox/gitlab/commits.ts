import type { Hono } from 'hono';
import { mayChange } from './access.ts';
import { basicPipelineEntity, commitEntity } from './entities.ts';
import { mergeRequestEntity } from './merge-request-entity.ts';
import { commitActions } from './commit-actions.ts';
import { diffs } from './diffs.ts';
import { mergeStatus } from './merge.ts';
import { afterPush } from './pushes.ts';
import {
  branches,
  branchesWith,
  commitOf,
  git,
  GitFailure,
  log,
  moveRef,
  readRef,
  resolveCommit,
  signature,
  writeCommit,
  zeros,
} from './repositories.ts';
import { ApiError, enter, flag, notFound, page, parameters, required, text } from './request.ts';
import type { Api } from './request.ts';
import type { Project } from './state.ts';

/** `/projects/:id/repository/commits`. */
export function commitRoutes(app: Hono, api: Api): void {
  const { state, engine } = api;
  const resolve = async (project: Project, reference: string) => {
    const sha = await resolveCommit(state, project, reference);
    if (!sha) throw notFound('Commit');
    return sha;
  };

  app.get('/projects/:id/repository/commits', async (c) => {
    const { project } = enter(api, c, { level: 0 });
    const query = await parameters(c);
    const start = text(query, 'ref_name') ?? project.defaultBranch;
    const range = start.includes('..') ? start : await resolveCommit(state, project, start);
    if (!range) {
      if ((await branches(state, project)).length === 0) return c.json(page(api, c, []));
      throw notFound();
    }
    const path = text(query, 'path');
    const commits = await log(state, project, [
      '-2000',
      ...(text(query, 'since') ? [`--since=${text(query, 'since')}`] : []),
      ...(text(query, 'until') ? [`--until=${text(query, 'until')}`] : []),
      ...(flag(query, 'first_parent') ? ['--first-parent'] : []),
      range,
      '--',
      ...(path ? [path] : []),
    ]);
    return c.json(page(api, c, commits).map((commit) => commitEntity(state, project, commit)));
  });

  app.get('/projects/:id/repository/commits/:sha', async (c) => {
    const { project } = enter(api, c, { level: 0, jobToken: true });
    const sha = await resolve(project, c.req.param('sha'));
    const pipeline = project.pipelines.findLast((each) => each.sha === sha);
    return c.json({
      ...commitEntity(state, project, await commitOf(state, project, sha)),
      status: pipeline?.status ?? null,
      project_id: project.id,
      last_pipeline: pipeline ? basicPipelineEntity(state, pipeline) : null,
      ...(c.req.query('stats') === 'false' ? {} : { stats: await stats(project, sha) }),
    });
  });

  async function stats(project: Project, sha: string) {
    const lines = await git(state, project.repository, ['show', '--numstat', '--format=', '--first-parent', sha]);
    const sums = lines
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split('\t').map(Number));
    const additions = sums.reduce((sum, [added = 0]) => sum + (added || 0), 0);
    const deletions = sums.reduce((sum, [, gone = 0]) => sum + (gone || 0), 0);
    return { additions, deletions, total: additions + deletions };
  }

  app.get('/projects/:id/repository/commits/:sha/diff', async (c) => {
    const { project } = enter(api, c, { level: 0 });
    const sha = await resolve(project, c.req.param('sha'));
    return c.json(page(api, c, await diffs(api, project, [`${sha}^!`, '--'])));
  });
  app.get('/projects/:id/repository/commits/:sha/refs', async (c) => {
    const { project } = enter(api, c, { level: 0 });
    const sha = await resolve(project, c.req.param('sha'));
    const type = c.req.query('type') ?? 'all';
    const tags = (await git(state, project.repository, ['tag', '--contains', sha]))
      .split('\n')
      .filter((line) => line !== '');
    const found = [
      ...(type === 'tag' ? [] : (await branchesWith(state, project, sha)).map((name) => ({ type: 'branch', name }))),
      ...(type === 'branch' ? [] : tags.map((name) => ({ type: 'tag', name }))),
    ];
    return c.json(page(api, c, found));
  });
  app.get('/projects/:id/repository/commits/:sha/merge_requests', async (c) => {
    const { project } = enter(api, c, { level: 0, jobToken: true });
    const sha = await resolve(project, c.req.param('sha'));
    const wanted = c.req.query('state');
    const found = [];
    for (const request of project.mergeRequests) {
      if (wanted !== undefined && wanted !== 'all' && request.state !== wanted) continue;
      if (request.visibleAt > state.clock.now()) continue;
      const direct = [request.sha, request.mergeCommit, request.squashCommit].includes(sha);
      const within = direct || (await commitsOfRequest(api, request)).some((commit) => commit.id === sha);
      if (within) found.push(request);
    }
    const shown = page(api, c, found);
    return c.json(
      await Promise.all(
        shown.map(async (request) => mergeRequestEntity(state, request, await mergeStatus(state, request))),
      ),
    );
  });

  app.post('/projects/:id/repository/commits', async (c) => {
    const { project, user } = enter(api, c, { level: 30, write: true });
    const values = await parameters(c);
    const sha = await commitActions(api, project, user, values);
    return c.json(
      {
        ...commitEntity(state, project, await commitOf(state, project, sha)),
        status: null,
        project_id: project.id,
        last_pipeline: null,
        stats: await stats(project, sha),
      },
      201,
    );
  });

  for (const act of ['revert', 'cherry_pick'] as const) {
    app.post(`/projects/:id/repository/commits/:sha/${act}`, async (c) => {
      const { project, user } = enter(api, c, { level: 30, write: true });
      const values = await parameters(c);
      const branch = required(values, 'branch');
      const sha = await resolve(project, c.req.param('sha'));
      const head = await readRef(state, project, `refs/heads/${branch}`);
      if (!head) throw notFound('Branch');
      if (!mayChange(state, user, project, branch, 'push')) throw new ApiError(403, { message: `403 Forbidden` });
      const commit = await commitOf(state, project, sha);
      const parent = commit.parents[0] ?? zeros;
      const [base, theirs] = act === 'revert' ? [sha, parent] : [parent, sha];
      const tree = await git(state, project.repository, [
        'merge-tree',
        '--write-tree',
        `--merge-base=${base}`,
        head,
        theirs,
      ]).catch(async (error: unknown) => {
        if (error instanceof GitFailure) return threeWay(project, base, head, theirs);
        throw error;
      });
      const verb = act === 'revert' ? 'revert' : 'cherry-pick';
      const sorry = (reason: string, code: string) =>
        new ApiError(400, {
          message: `Sorry, we cannot ${verb} this commit automatically. ${reason}`,
          error_code: code,
        });
      if (tree === null)
        throw sorry(
          'This commit may already have been ' +
            (act === 'revert' ? 'reverted' : 'cherry-picked') +
            ', or a more recent commit may have updated some of its content.',
          'conflict',
        );
      if (tree.trim() === (await git(state, project.repository, ['rev-parse', `${head}^{tree}`])).trim())
        throw sorry('The result is empty.', 'empty');
      if (flag(values, 'dry_run')) return c.json({ dry_run: 'success' }, 200);
      const message =
        text(values, 'message') ??
        (act === 'revert'
          ? `Revert "${commit.title}"\n\nThis reverts commit ${sha}\n`
          : `${commit.message.trimEnd()}\n\n(cherry picked from commit ${sha})\n`);
      const made = await writeCommit(state, project, {
        parents: [head],
        tree: tree.trim(),
        message,
        author: signature(user),
      });
      await moveRef(state, project, `refs/heads/${branch}`, made, head);
      engine.background(
        afterPush(state, engine, {
          project,
          user,
          updates: [{ ref: `refs/heads/${branch}`, before: head, after: made }],
          pipelines: true,
        }),
      );
      return c.json(commitEntity(state, project, await commitOf(state, project, made)), 201);
    });
  }

  /** Three-way merge by index for git before 2.40, whose merge-tree takes no merge base; null: conflict. */
  async function threeWay(project: Project, base: string, ours: string, theirs: string): Promise<string | null> {
    const env = { GIT_INDEX_FILE: `${project.repository}/index-${state.next('index')}` };
    try {
      await git(state, project.repository, ['read-tree', '-i', '-m', '--aggressive', base, ours, theirs], { env });
      return await git(state, project.repository, ['write-tree'], { env });
    } catch {
      return null;
    }
  }
}

/** Commits that a merge request brings, newest first. */
export async function commitsOfRequest(api: Api, request: Project['mergeRequests'][number]) {
  const { project } = request;
  const target = (await readRef(api.state, project, `refs/heads/${request.targetBranch}`)) ?? zeros;
  const base = request.state === 'merged' ? request.baseSha : target;
  if (request.sha === zeros) return [];
  return log(api.state, project, [request.sha, ...(base === zeros ? [] : [`^${base}`]), '--']);
}
