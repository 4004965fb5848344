import { mayChange } from './access.ts';
import { afterPush } from './pushes.ts';
import {
  branches,
  fileAt,
  git,
  moveRef,
  readRef,
  resolveCommit,
  signature,
  writeCommit,
  zeros,
} from './repositories.ts';
import { badParameter, badRequest, flag, required, text } from './request.ts';
import type { Api } from './request.ts';
import type { Project, User } from './state.ts';

type Values = Readonly<Record<string, unknown>>;

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
    throw badRequest('You are not allowed to push into this branch');
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
  engine.background(
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
