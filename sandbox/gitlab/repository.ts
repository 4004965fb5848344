import { createHash } from 'node:crypto';
import type { Hono } from 'hono';
import { mayChange, protection } from './access.ts';
import { commitActions } from './commit-actions.ts';
import { commitEntity } from './entities.ts';
import { afterPush } from './pushes.ts';
import { branches, commitOf, fileAt, git, log, moveRef, readRef, resolveCommit, zeros } from './repositories.ts';
import { ApiError, badRequest, enter, forbidden, notFound, page, parameters, required, text, flag } from './request.ts';
import type { Api } from './request.ts';
import type { Project, User } from './state.ts';

/** Branches, tags, trees, files and comparisons. */
export function repositoryRoutes(app: Hono, api: Api): void {
  const { state, engine } = api;
  const pushed = (project: Project, user: User, ref: string, before: string, after: string) =>
    engine.background(afterPush(state, engine, { project, user, updates: [{ ref, before, after }], pipelines: true }));

  const branchEntity = async (
    project: Project,
    user: User,
    branch: { readonly name: string; readonly sha: string },
  ) => {
    const rule = protection(project, branch.name);
    return {
      name: branch.name,
      commit: commitEntity(state, project, await commitOf(state, project, branch.sha)),
      merged: false,
      protected: rule !== undefined,
      developers_can_push: rule?.push === 30,
      developers_can_merge: rule?.merge === 30,
      can_push: user.id !== 0 && mayChange(state, user, project, branch.name, 'push'),
      default: branch.name === project.defaultBranch,
      web_url: `${state.url}/${project.path}/-/tree/${branch.name}`,
    };
  };
  app.get('/projects/:id/repository/branches', async (c) => {
    const { project, user } = enter(api, c, { level: 0 });
    const search = c.req.query('search');
    const found = (await branches(state, project)).filter(
      (branch) => search === undefined || branch.name.includes(search.replace(/^\^|\$$/g, '')),
    );
    return c.json(await Promise.all(page(api, c, found).map(async (branch) => branchEntity(project, user, branch))));
  });
  app.get('/projects/:id/repository/branches/:branch', async (c) => {
    const { project, user } = enter(api, c, { level: 0 });
    const sha = await readRef(state, project, `refs/heads/${c.req.param('branch')}`);
    if (!sha) throw notFound('Branch');
    return c.json(await branchEntity(project, user, { name: c.req.param('branch'), sha }));
  });
  app.post('/projects/:id/repository/branches', async (c) => {
    const { project, user } = enter(api, c, { level: 30, write: true });
    const values = await parameters(c);
    const name = required(values, 'branch');
    const sha = await resolveCommit(state, project, required(values, 'ref'));
    if (!sha) throw badRequest(`Invalid reference name: ${text(values, 'ref')}`);
    if (await readRef(state, project, `refs/heads/${name}`)) throw badRequest('Branch already exists');
    if (!mayChange(state, user, project, name, 'push')) throw forbidden();
    await moveRef(state, project, `refs/heads/${name}`, sha, zeros);
    pushed(project, user, `refs/heads/${name}`, zeros, sha);
    return c.json(await branchEntity(project, user, { name, sha }), 201);
  });
  app.delete('/projects/:id/repository/branches/:branch', async (c) => {
    const { project, user } = enter(api, c, { level: 30, write: true });
    const name = c.req.param('branch');
    const sha = await readRef(state, project, `refs/heads/${name}`);
    if (!sha) throw notFound('Branch');
    if (protection(project, name))
      throw new ApiError(403, { message: 'This branch is protected and cannot be deleted' });
    await moveRef(state, project, `refs/heads/${name}`, zeros, sha);
    pushed(project, user, `refs/heads/${name}`, sha, zeros);
    return c.body(null, 204);
  });

  const tagEntity = async (project: Project, name: string) => {
    const sha = await resolveCommit(state, project, `refs/tags/${name}`);
    if (!sha) throw notFound('Tag');
    return {
      name,
      message: '',
      target: sha,
      commit: commitEntity(state, project, await commitOf(state, project, sha)),
      release: null,
      protected: false,
      created_at: null,
    };
  };
  app.get('/projects/:id/repository/tags', async (c) => {
    const { project } = enter(api, c, { level: 0 });
    const names = (
      await git(state, project.repository, [
        'for-each-ref',
        '--sort=-creatordate',
        '--format=%(refname:lstrip=2)',
        'refs/tags',
      ])
    )
      .split('\n')
      .filter((line) => line !== '');
    return c.json(await Promise.all(page(api, c, names).map(async (name) => tagEntity(project, name))));
  });
  app.get('/projects/:id/repository/tags/:tag', async (c) => {
    const { project } = enter(api, c, { level: 0 });
    return c.json(await tagEntity(project, c.req.param('tag')));
  });
  app.post('/projects/:id/repository/tags', async (c) => {
    const { project, user } = enter(api, c, { level: 30, write: true });
    const values = await parameters(c);
    const name = required(values, 'tag_name');
    const sha = await resolveCommit(state, project, required(values, 'ref'));
    if (!sha) throw badRequest('Target is invalid');
    if (await readRef(state, project, `refs/tags/${name}`)) throw badRequest(`Tag ${name} already exists`);
    await moveRef(state, project, `refs/tags/${name}`, sha, zeros);
    pushed(project, user, `refs/tags/${name}`, zeros, sha);
    return c.json(await tagEntity(project, name), 201);
  });

  app.get('/projects/:id/repository/tree', async (c) => {
    const { project } = enter(api, c, { level: 0 });
    const query = await parameters(c);
    const sha = await resolveCommit(state, project, text(query, 'ref') ?? project.defaultBranch);
    if (!sha) throw notFound('Tree');
    const path = (text(query, 'path') ?? '').replaceAll(/^\/+|\/+$/g, '');
    const args = [
      'ls-tree',
      '-z',
      ...(flag(query, 'recursive') ? ['-r', '-t'] : []),
      sha,
      ...(path ? ['--', `${path}/`] : []),
    ];
    const entries = (await git(state, project.repository, args)).split('\0').filter((line) => line !== '');
    if (path && entries.length === 0) throw notFound('Tree');
    const found = entries.map((line) => {
      const [meta = '', full = ''] = line.split('\t');
      const [mode, type, id] = meta.split(' ');
      return { id, name: full.split('/').at(-1), type, path: full, mode };
    });
    return c.json(page(api, c, found));
  });
  app.get('/projects/:id/repository/compare', async (c) => {
    const { project } = enter(api, c, { level: 0 });
    const query = await parameters(c);
    const from = await resolveCommit(state, project, required(query, 'from'));
    const to = await resolveCommit(state, project, required(query, 'to'));
    if (!from || !to) throw notFound('Ref');
    const commits = (await log(state, project, [`${from}..${to}`, '--'])).map((commit) =>
      commitEntity(state, project, commit),
    );
    const paths = (await git(state, project.repository, ['diff', '--name-only', `${from}...${to}`]))
      .split('\n')
      .filter((line) => line !== '');
    const changed = await Promise.all(
      paths.map(async (name) => {
        const patch = await git(state, project.repository, ['diff', `${from}...${to}`, '--', name]);
        return {
          old_path: name,
          new_path: name,
          a_mode: '100644',
          b_mode: '100644',
          diff: patch.slice(Math.max(0, patch.indexOf('@@'))),
          collapsed: false,
          too_large: false,
          new_file: patch.includes('\nnew file mode'),
          renamed_file: false,
          deleted_file: patch.includes('\ndeleted file mode'),
          generated_file: false,
        };
      }),
    );
    return c.json({
      commit: commits[0] ?? null,
      commits,
      diffs: changed,
      compare_timeout: false,
      compare_same_ref: from === to,
      web_url: `${state.url}/${project.path}/-/compare/${from}...${to}`,
    });
  });

  const filePath = (path: string) => decodeURIComponent(path);
  app.get('/projects/:id/repository/files/:path/raw', async (c) => {
    const { project } = enter(api, c, { level: 0, jobToken: true });
    const sha = await resolveCommit(state, project, c.req.query('ref') ?? project.defaultBranch);
    const bytes = sha ? await fileAt(state, project, sha, filePath(c.req.param('path'))) : null;
    if (!bytes) throw notFound(sha ? 'File' : 'Commit');
    return c.body(new Uint8Array(bytes), 200, { 'content-type': 'text/plain; charset=utf-8' });
  });
  app.get('/projects/:id/repository/files/:path', async (c) => {
    const { project } = enter(api, c, { level: 0 });
    const ref = required(await parameters(c), 'ref');
    const sha = await resolveCommit(state, project, ref === 'HEAD' ? project.defaultBranch : ref);
    const path = filePath(c.req.param('path'));
    const bytes = sha ? await fileAt(state, project, sha, path) : null;
    if (!sha || !bytes) throw notFound(sha ? 'File' : 'Commit');
    const last = (await git(state, project.repository, ['log', '-1', '--format=%H', sha, '--', path])).trim();
    const blob = (await git(state, project.repository, ['rev-parse', `${sha}:${path}`])).trim();
    return c.json({
      file_name: path.split('/').at(-1),
      file_path: path,
      size: bytes.length,
      encoding: 'base64',
      content: bytes.toString('base64'),
      content_sha256: createHash('sha256').update(bytes).digest('hex'),
      ref,
      blob_id: blob,
      commit_id: sha,
      last_commit_id: last,
      execute_filemode: false,
    });
  });
  for (const [method, action] of [
    ['post', 'create'],
    ['put', 'update'],
    ['delete', 'delete'],
  ] as const) {
    app[method]('/projects/:id/repository/files/:path', async (c) => {
      const { project, user } = enter(api, c, { level: 30, write: true });
      const values = await parameters(c);
      const path = filePath(c.req.param('path'));
      await commitActions(api, project, user, { ...values, actions: [{ ...values, action, file_path: path }] });
      if (action === 'delete') return c.body(null, 204);
      return c.json({ file_path: path, branch: text(values, 'branch') }, action === 'create' ? 201 : 200);
    });
  }
}
