import { execFile } from 'node:child_process';
import { cpSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Project, State, User } from './state.ts';

/** Git plumbing on the projects' bare repositories. */

export const zeros = '0'.repeat(40);

/** A commit as the API shows it. */
export interface Commit {
  readonly id: string;
  readonly parents: readonly string[];
  readonly authorName: string;
  readonly authorEmail: string;
  readonly authoredDate: string;
  readonly committerName: string;
  readonly committerEmail: string;
  readonly committedDate: string;
  readonly title: string;
  readonly message: string;
}

/** Failure of a git command, with what it said. */
export class GitFailure extends Error {
  readonly stderr: string;
  constructor(stderr: string) {
    super(stderr.trim());
    this.name = 'GitFailure';
    this.stderr = stderr;
  }
}

const quiet = { GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' };

/** Environment of git: what was handed in, without anybody's configuration. */
export function gitEnvironment(state: State): Record<string, string> {
  return { PATH: '/usr/bin:/bin', ...state.env, ...quiet, HOME: state.folder };
}

/** Runs git in a folder; answers stdout. Rejects with `GitFailure`. */
export async function git(
  state: State,
  folder: string,
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly input?: string | Uint8Array } = {},
): Promise<string> {
  return (await gitBytes(state, folder, args, options)).toString('utf8');
}

/** As `git`, for binary content. */
async function gitBytes(
  state: State,
  folder: string,
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly input?: string | Uint8Array } = {},
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      'git',
      args,
      { cwd: folder, env: { ...gitEnvironment(state), ...options.env }, encoding: 'buffer', maxBuffer: 1 << 28 },
      (error, stdout, stderr) =>
        error ? reject(new GitFailure(stderr.toString('utf8') || error.message)) : resolve(stdout),
    );
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

/** The empty repository that new projects are copies of; made once. */
export async function initTemplate(state: State): Promise<void> {
  const template = templateFolder(state);
  await mkdir(template, { recursive: true });
  await git(state, template, ['init', '-q', '--bare', '--template=', '.']);
  const settings = `[http]
	receivepack = true
[uploadpack]
	allowFilter = true
	allowReachableSHA1InWant = true
	allowAnySHA1InWant = true
[receive]
	advertisePushOptions = true
	hideRefs = refs/merge-requests
	hideRefs = refs/pipelines
	hideRefs = refs/keep-around
[core]
	hooksPath = ${join(state.folder, 'hooks')}
[gc]
	auto = 0
`;
  await writeFile(join(template, 'config'), settings, { flag: 'a' });
}

function templateFolder(state: State): string {
  return join(state.folder, 'template.git');
}

/** Makes the bare repository of a project. */
export function initRepository(state: State, project: Project): void {
  cpSync(templateFolder(state), project.repository, { recursive: true });
  writeFileSync(join(project.repository, 'HEAD'), `ref: refs/heads/${project.defaultBranch}\n`);
}

/** Commits that have been read: they never change. */
const known = new WeakMap<Project, Map<string, Commit>>();

function knownCommits(project: Project): Map<string, Commit> {
  const found = known.get(project) ?? new Map<string, Commit>();
  known.set(project, found);
  return found;
}

/** Full commit id of a branch, tag, ref or (short) id, or null. */
export async function resolveCommit(state: State, project: Project, reference: string): Promise<string | null> {
  if (reference.startsWith('-') || reference === '') return null;
  if (knownCommits(project).has(reference)) return reference;
  const branch = await readRef(state, project, `refs/heads/${reference}`);
  if (branch) return branch;
  for (const candidate of [`refs/tags/${reference}`, reference]) {
    try {
      return (
        await git(state, project.repository, [
          'rev-parse',
          '-q',
          '--verify',
          '--end-of-options',
          `${candidate}^{commit}`,
        ])
      ).trim();
    } catch {
      continue;
    }
  }
  return null;
}

/** Value of a ref, or null. Refs stay loose: nothing packs these repositories. */
export async function readRef(_state: State, project: Project, ref: string): Promise<string | null> {
  if (!/^refs\/[^\0]+$/.test(ref) || ref.split('/').includes('..')) return null;
  const text = await readFile(join(project.repository, ref), 'utf8').catch(() => '');
  return /^[0-9a-f]{40}/.exec(text)?.[0] ?? null;
}

const format = ['%H', '%P', '%an', '%ae', '%aI', '%cn', '%ce', '%cI', '%B'].join('%x00');

/** Commits of a revision range, newest first. */
export async function log(state: State, project: Project, args: readonly string[]): Promise<readonly Commit[]> {
  const text = await git(state, project.repository, ['log', '-z', `--format=${format}%x01`, ...args]);
  return text
    .split('\x01')
    .map((entry) => entry.replace(/^\0/, ''))
    .filter((entry) => entry.length > 40)
    .map((entry) => {
      const [id = '', parents = '', an = '', ae = '', ad = '', cn = '', ce = '', cd = '', ...rest] = entry.split('\0');
      const message = rest.join('\0');
      return {
        id,
        parents: parents.split(' ').filter((each) => each !== ''),
        authorName: an,
        authorEmail: ae,
        authoredDate: ad,
        committerName: cn,
        committerEmail: ce,
        committedDate: cd,
        title: message.split('\n')[0] ?? '',
        message,
      };
    });
}

/** One commit by full id. */
export async function commitOf(state: State, project: Project, sha: string): Promise<Commit> {
  const seen = knownCommits(project).get(sha);
  if (seen) return seen;
  const [commit] = await log(state, project, ['-1', sha, '--']);
  if (!commit) throw new GitFailure(`no commit ${sha}`);
  knownCommits(project).set(sha, commit);
  return commit;
}

/** Branch names, by name. */
export async function branches(
  state: State,
  project: Project,
): Promise<readonly { readonly name: string; readonly sha: string }[]> {
  const text = await git(state, project.repository, [
    'for-each-ref',
    '--format=%(refname:lstrip=2) %(objectname)',
    'refs/heads',
  ]);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ({ name: line.slice(0, line.lastIndexOf(' ')), sha: line.slice(line.lastIndexOf(' ') + 1) }));
}

/** Branches that contain a commit. */
export async function branchesWith(state: State, project: Project, sha: string): Promise<readonly string[]> {
  const text = await git(state, project.repository, [
    'for-each-ref',
    '--contains',
    sha,
    '--format=%(refname:lstrip=2)',
    'refs/heads',
  ]);
  return text.split('\n').filter((line) => line !== '');
}

/** A file's bytes at a commit, or null. */
export async function fileAt(state: State, project: Project, sha: string, path: string): Promise<Buffer | null> {
  try {
    return await gitBytes(state, project.repository, ['cat-file', 'blob', `${sha}:${path}`]);
  } catch {
    return null;
  }
}

/** What to write in a commit: path → bytes (with mode), or null for a deletion. */
export type Changes = ReadonlyMap<string, { readonly content: Uint8Array; readonly executable?: boolean } | null>;

/** Writes a commit object on top of `parents` (first parent's tree + changes) and answers its id. No ref moves. */
export async function writeCommit(
  state: State,
  project: Project,
  fields: {
    readonly parents: readonly string[];
    readonly changes?: Changes;
    readonly tree?: string;
    readonly message: string;
    readonly author: { readonly name: string; readonly email: string };
    readonly committer?: { readonly name: string; readonly email: string };
  },
): Promise<string> {
  const index = join(project.repository, `index-${state.next('index')}`);
  const env = { GIT_INDEX_FILE: index };
  const run = (args: readonly string[], input?: string | Uint8Array) =>
    git(state, project.repository, args, { env, ...(input === undefined ? {} : { input }) });
  let tree = fields.tree;
  if (tree === undefined) {
    await run(fields.parents[0] ? ['read-tree', fields.parents[0]] : ['read-tree', '--empty']);
    const lines: string[] = [];
    for (const [path, change] of fields.changes ?? []) {
      if (change === null) lines.push(`0 ${zeros}\t${path}`);
      else
        lines.push(
          `${change.executable ? '100755' : '100644'} ${(await run(['hash-object', '-w', '--stdin'], change.content)).trim()}\t${path}`,
        );
    }
    await run(['update-index', '--add', '--index-info'], lines.map((line) => `${line}\n`).join(''));
    tree = (await run(['write-tree'])).trim();
  }
  const when = `${Math.floor(state.clock.now() / 1000)} +0000`;
  const committer = fields.committer ?? fields.author;
  const parents = fields.parents.flatMap((parent) => ['-p', parent]);
  const sha = await git(state, project.repository, ['commit-tree', tree, ...parents, '-F', '-'], {
    input: fields.message,
    env: {
      GIT_AUTHOR_NAME: fields.author.name,
      GIT_AUTHOR_EMAIL: fields.author.email,
      GIT_AUTHOR_DATE: when,
      GIT_COMMITTER_NAME: committer.name,
      GIT_COMMITTER_EMAIL: committer.email,
      GIT_COMMITTER_DATE: when,
    },
  });
  await rm(index, { force: true });
  return sha.trim();
}

/** Moves a ref, only from the value that was read (`zeros`: must be new). Rejects with `GitFailure`. */
export async function moveRef(state: State, project: Project, ref: string, to: string, from?: string): Promise<void> {
  await git(
    state,
    project.repository,
    to === zeros
      ? ['update-ref', '-d', ref, ...(from ? [from] : [])]
      : ['update-ref', ref, to, ...(from ? [from] : [])],
  );
}

/** A user as author. */
export function signature(user: User): { readonly name: string; readonly email: string } {
  return { name: user.name, email: user.email };
}
