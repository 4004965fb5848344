import { Fault } from '../fault.ts';
import type { Secret } from '../secret.ts';
import type { Clock } from './clock.ts';
import type { Files } from './files.ts';
import { type GitIdentity, signCommit, writeCommit } from './git-commit.ts';
import { allowedProtocol, type GitSetting, gitEnvironment, tokenHeader, withoutUser } from './git-environment.ts';
import { classifyFetch, fetchFault, isTransient } from './git-failure.ts';
import { type Git, openRepository } from './git-local.ts';
import { pushCommit } from './git-push.ts';
import type { DeliveryClone, DeliveryGit, RemoteTip } from './git-remote.ts';
import { ProcessFailure, type Processes } from './process.ts';

/** What `connectDeliveryGit` needs. */
export interface DeliveryGitOptions {
  readonly processes: Processes;
  readonly files: Files;
  readonly clock: Clock;
  /** Sent as a header to http(s) servers; null: none (ssh, public reading). */
  readonly token: Secret | null;
  /** Who commits; default `sluice <sluice@noreply.<host>>`. */
  readonly author?: { readonly name?: string | undefined; readonly email?: string | undefined };
  /** SSH key that commits are signed with; default: they are not signed. */
  readonly signingKey?: Secret | undefined;
  /** Allows local paths and file: URLs. */
  readonly allowFile?: boolean;
  /** Told what differs from the usual way, e.g. a server without partial clones. */
  readonly notice?: (text: string) => void;
}

/** Tries of a fetch or push while the server does not answer. */
const TRIES = 4;

/** The delivery repository by git over https, ssh, or http on loopback. See `DeliveryGit` for the Faults. */
export function connectDeliveryGit(options: DeliveryGitOptions): DeliveryGit {
  return {
    async clone(url, branch, signal) {
      const protocol = allowedProtocol(url, options.allowFile);
      const folder = await options.files.temporary('sluice-clone-');
      try {
        return await cloned(options, url, protocol, branch, folder, signal);
      } catch (error) {
        await folder[Symbol.asyncDispose]();
        throw error;
      }
    },
  };
}

/** Runs a transport command again while the failure may be gone in a moment. */
async function patiently<T>(clock: Clock, signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      const text = error instanceof ProcessFailure ? error.stderr : '';
      if (tries >= TRIES || !isTransient(text)) throw error;
      await clock.sleep(250 * 2 ** tries * (0.5 + clock.random()), signal);
    }
  }
}

async function cloned(
  options: DeliveryGitOptions,
  url: string,
  protocol: string,
  wanted: string | null,
  folder: { readonly path: string } & AsyncDisposable,
  signal: AbortSignal | undefined,
): Promise<DeliveryClone> {
  const { processes, clock } = options;
  const slow: readonly GitSetting[] = [
    ['http.lowSpeedLimit', '100'],
    ['http.lowSpeedTime', '60'],
    ['credential.helper', ''],
    ['protocol.version', '2'],
    ['fastimport.unpackLimit', '100'],
  ];
  const header = options.token !== null && protocol.startsWith('http') ? [tokenHeader(url, options.token)] : [];
  const env = {
    ...gitEnvironment([...slow, ...header], [protocol]),
    GIT_SSH_COMMAND: 'ssh -oBatchMode=yes',
  };
  const offline = { GIT_ALLOW_PROTOCOL: 'none', GIT_NO_LAZY_FETCH: '1' };
  const bare = `${folder.path}/delivery.git`;
  const git: Git = (args, more = {}) => processes.run('git', args, { cwd: bare, env, ...more });
  const locally: Git = (args, more = {}) => git(args, { ...more, env: { ...env, ...offline, ...more.env } });
  const patient: Git = (args, more = {}) => patiently(clock, more.signal, () => git(args, more));
  const transport = (args: readonly string[], abort: AbortSignal | undefined, more: { input?: string } = {}) =>
    patient(args, { ...more, signal: abort }).catch((error: unknown) => {
      throw fetchFault(error, url, wanted);
    });

  const filtered = await patiently(clock, signal, () => start(processes, env, url, wanted, folder.path, signal)).catch(
    (error: unknown) => {
      throw fetchFault(error, url, wanted);
    },
  );
  if (!filtered) options.notice?.(`${withoutUser(url)} knows no partial clones: all files of its tip were fetched`);
  const refs = await locally(['for-each-ref', '--format=%(objectname) %(refname:lstrip=2)', 'refs/heads']);
  const found = /^([0-9a-f]{40}) (.+)$/m.exec(refs.text);
  if (!found?.[1] || !found[2]) {
    throw new Fault('branch_missing', `${withoutUser(url)} has no branch ${wanted ?? 'yet: it is empty'}`);
  }
  const branch = found[2];
  const host = URL.canParse(url) ? new URL(url).hostname : 'localhost';
  const identity: GitIdentity = {
    name: options.author?.name ?? 'sluice',
    email: options.author?.email ?? `sluice@noreply.${host || 'localhost'}`,
  };
  let head = found[1];
  const fetched = new Set<string>();
  const fetch = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head'] as const;
  const repository = await openRepository({ folder: bare, processes, env: offline });

  return {
    url,
    branch,
    folder: bare,
    repository,
    head: () => Promise.resolve(head),
    async refresh(abort) {
      await transport([...fetch, 'origin', `+refs/heads/${branch}:refs/heads/${branch}`], abort);
      head = (await locally(['rev-parse', '--verify', `refs/heads/${branch}`])).text.trim();
      return head;
    },
    async deepen(since, abort) {
      if ((await locally(['rev-parse', '--is-shallow-repository'])).text.trim() !== 'true') return;
      const depth = since === null ? '--unshallow' : `--shallow-since=${Math.floor(since)}`;
      // Not the branch: what came to it meanwhile would be fetched without trees and then count as known.
      await transport([...fetch, '--filter=tree:0', depth, 'origin', head], abort);
    },
    async fetchBlobs(oids, abort) {
      const missing = filtered ? [...new Set(oids)].filter((oid) => !fetched.has(oid)) : [];
      if (missing.length === 0) return;
      const batch = ['-c', 'fetch.negotiationAlgorithm=noop', ...fetch, '--filter=blob:none', '--stdin', 'origin'];
      await transport(batch, abort, { input: missing.map((oid) => `${oid}\n`).join('') });
      for (const oid of missing) fetched.add(oid);
    },
    async commit(parent, files, message) {
      const at = Math.floor(clock.now() / 1000);
      const sha = await writeCommit(locally, parent, files, message, identity, at);
      const { signingKey } = options;
      return signingKey ? signCommit(locally, processes, sha, signingKey, `${folder.path}/signing-key`) : sha;
    },
    push: (sha, target, { lease, signal: abort } = {}) =>
      pushCommit(patient, url, sha, target, { lease, signal: abort }),
    deleteBranch: (target, lease, abort) => pushCommit(patient, url, '', target, { lease, signal: abort }),
    remoteBranch: (name, abort) => tipOf(patient, url, `${folder.path}/branch.git`, name, identity, abort),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** Clones; answers whether the server left the blobs out. A dumb server is cloned whole. */
async function start(
  processes: Processes,
  env: Readonly<Record<string, string>>,
  url: string,
  branch: string | null,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const common = ['clone', '--quiet', '--bare', '--single-branch', '--no-tags', '--template='];
  const what = [...(branch === null ? [] : ['--branch', branch]), '--', url, 'delivery.git'];
  const run = (flags: readonly string[]) =>
    processes.run('git', [...common, ...flags, ...what], { cwd: folder, env, signal });
  try {
    const answer = await run(['--depth=1', '--filter=blob:none']);
    return !/filtering not recognized/i.test(answer.stderr);
  } catch (error) {
    if (!(error instanceof ProcessFailure) || !/dumb http transport/i.test(error.stderr)) throw error;
    await run([]);
    return false;
  }
}

/** Tip of a branch, read in a repository of its own, so that its depth does not cut the clone's history. */
async function tipOf(
  git: Git,
  url: string,
  folder: string,
  branch: string,
  identity: GitIdentity,
  signal: AbortSignal | undefined,
): Promise<RemoteTip | null> {
  await git(['init', '--quiet', '--bare', '--template=', folder]);
  const reference = `refs/heads/${branch}`;
  try {
    await git(
      ['fetch', '--quiet', '--depth=1', '--filter=tree:0', '--no-tags', '--', url, `+${reference}:${reference}`],
      {
        cwd: folder,
        signal,
      },
    );
  } catch (error) {
    if (error instanceof ProcessFailure && classifyFetch(error.stderr) === 'missing-branch') return null;
    throw fetchFault(error, url, branch);
  }
  const answer = await git(['log', '-1', '--no-color', '--no-decorate', '--format=%H%n%ce%n%B', reference], {
    cwd: folder,
  });
  const [sha = '', email = '', ...message] = answer.text.split('\n');
  return { sha, message: message.join('\n'), ours: email === identity.email };
}
