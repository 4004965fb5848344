import type { Hono } from 'hono';
import { mayChange, protection } from './access.ts';
import { commitEntity } from './entities.ts';
import { basicPipelineEntity, mergeRequestEntity } from './entities.ts';
import { mergeStatus } from './merge.ts';
import { afterPush } from './pushes.ts';
import {
  branches,
  branchesWith,
  commitOf,
  fileAt,
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
import {
  ApiError,
  badParameter,
  badRequest,
  enter,
  flag,
  notFound,
  page,
  parameters,
  required,
  text,
} from './request.ts';
import type { Api } from './request.ts';
import type { Project, User } from './state.ts';

type Values = Readonly<Record<string, unknown>>;

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
      void engine.track(
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

/** Differences as the API shows them. */
export async function diffs(api: Api, project: Project, args: readonly string[]) {
  const raw = await git(api.state, project.repository, [
    'diff-tree',
    '-r',
    '-M',
    '--no-commit-id',
    '--raw',
    '--abbrev=40',
    '-z',
    '--root',
    '--first-parent',
    ...args.slice(0, 1).map((each) => each.replace(/\^!$/, '')),
    ...args.slice(1, -1),
  ]).catch(() => '');
  const fields = raw.split('\0');
  const found = [];
  for (let index = 0; index + 1 < fields.length;) {
    const head = (fields[index] ?? '').replace(/^:/, '').split(' ');
    const [aMode = '', bMode = '', , , kind = ''] = head;
    const renamed = kind.startsWith('R') || kind.startsWith('C');
    const oldPath = fields[index + 1] ?? '';
    const newPath = renamed ? (fields[index + 2] ?? '') : oldPath;
    index += renamed ? 3 : 2;
    if (kind === '') continue;
    const sha = args[0]?.replace(/\^!$/, '') ?? '';
    const patch = await git(api.state, project.repository, [
      'show',
      '--format=',
      '--first-parent',
      sha,
      '--',
      newPath,
    ]).catch(() => '');
    found.push({
      diff: patch.slice(Math.max(0, patch.indexOf('@@'))),
      collapsed: false,
      too_large: false,
      new_path: newPath,
      old_path: oldPath,
      a_mode: aMode,
      b_mode: bMode,
      new_file: kind === 'A',
      renamed_file: renamed,
      deleted_file: kind === 'D',
      generated_file: false,
    });
  }
  return found;
}

/** `POST …/commits`: several file actions in one commit. Answers its id. */
export async function commitActions(api: Api, project: Project, user: User, values: Values): Promise<string> {
  const { state, engine } = api;
  const branch = required(values, 'branch');
  const message = required(values, 'commit_message');
  const actions = values['actions'];
  if (!Array.isArray(actions)) throw badParameter('actions is missing');
  const existing = await readRef(state, project, `refs/heads/${branch}`);
  const startName = text(values, 'start_branch') ?? text(values, 'start_sha');
  const start = startName === undefined ? existing : await resolveCommit(state, project, startName);
  const empty = (await branches(state, project)).length === 0;
  if (!start && !empty)
    throw badRequest(
      startName
        ? `Cannot find start branch ${startName}`
        : 'You can only create or edit files when you are on a branch',
    );
  if (existing && startName !== undefined && !flag(values, 'force'))
    throw badRequest(`A branch called '${branch}' already exists. Switch to that branch in order to make changes`);
  if (!mayChange(state, user, project, branch, 'push'))
    throw badRequest(
      protection(project, branch)
        ? 'You are not allowed to push into this branch'
        : 'You are not allowed to push into this branch',
    );
  const changes = new Map<string, { content: Uint8Array; executable: boolean } | null>();
  for (const action of actions as Values[]) await applyAction(api, project, start, action, changes);
  const author = { name: text(values, 'author_name') ?? user.name, email: text(values, 'author_email') ?? user.email };
  const sha = await writeCommit(state, project, {
    parents: start ? [start] : [],
    changes,
    message,
    author,
    committer: signature(user),
  });
  await moveRef(state, project, `refs/heads/${branch}`, sha, existing ?? zeros);
  void engine.track(
    afterPush(state, engine, {
      project,
      user,
      updates: [{ ref: `refs/heads/${branch}`, before: existing ?? zeros, after: sha }],
      pipelines: true,
    }),
  );
  return sha;
}

async function applyAction(
  api: Api,
  project: Project,
  start: string | null,
  action: Values,
  changes: Map<string, { content: Uint8Array; executable: boolean } | null>,
): Promise<void> {
  const { state } = api;
  const kind = required(action, 'action');
  const path = required(action, 'file_path');
  if (path.split('/').includes('..') || path.startsWith('/')) throw badRequest('file_path should be a valid file path');
  const source = text(action, 'previous_path') ?? path;
  const now = async (name: string) =>
    changes.has(name) ? (changes.get(name)?.content ?? null) : start ? await fileAt(state, project, start, name) : null;
  const present = await now(kind === 'move' ? source : path);
  if (kind === 'create' && present) throw badRequest('A file with this name already exists');
  if (kind !== 'create' && !present) throw badRequest("A file with this name doesn't exist");
  const guard = text(action, 'last_commit_id');
  if (guard !== undefined && start) {
    const last = (await git(state, project.repository, ['log', '-1', '--format=%H', start, '--', source])).trim();
    if (last !== guard)
      throw badRequest('You are attempting to update a file that has changed since you started editing it.');
  }
  const given = text(action, 'content');
  const content =
    given === undefined ? present : Buffer.from(given, text(action, 'encoding') === 'base64' ? 'base64' : 'utf8');
  const executable = flag(action, 'execute_filemode') ?? false;
  if (kind === 'delete') changes.set(path, null);
  else if (kind === 'move') {
    changes.set(source, null);
    changes.set(path, { content: content ?? new Uint8Array(), executable });
  } else if (['create', 'update', 'chmod'].includes(kind))
    changes.set(path, { content: content ?? new Uint8Array(), executable });
  else throw badParameter('actions[0][action] does not have a valid value');
}
