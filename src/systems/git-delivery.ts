import { Fault } from '../fault.ts';
import type { Secret } from '../secret.ts';
import type { Clock } from './clock.ts';
import type { Files } from './files.ts';
import { streamBlobs } from './git-blobs.ts';
import { type GitIdentity, signCommit, writeCommit } from './git-commit.ts';
import { allowedProtocol, type GitSetting, gitEnvironment, tokenHeader, withoutUser } from './git-environment.ts';
import { classifyFetch, fetchFault, isTransient } from './git-failure.ts';
import { type Git, openRepository } from './git-local.ts';
import { openBranchPast } from './git-past.ts';
import { pushCommit } from './git-push.ts';
import type { DeliveryClone, DeliveryGit, RemoteTip } from './git-remote.ts';
import { readTip } from './git-tip.ts';
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

/** After a lost race the files that changed are needed most likely, and are few: they come with their commits. */
const SMALL_FILES = '--filter=blob:limit=256k';
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
  const transport: Git = (args, more) =>
    patient(args, more).catch((error: unknown) => {
      throw fetchFault(error, url, wanted);
    });

  const filtered = await patiently(clock, signal, () => start(processes, env, url, wanted, folder.path, signal)).catch(
    (error: unknown) => {
      throw fetchFault(error, url, wanted);
    },
  );
  if (!filtered) options.notice?.(`${withoutUser(url)} knows no partial clones: all files of its tip were fetched`);
  const found = await readTip(locally).catch((error: unknown) => {
    if (
      error instanceof ProcessFailure &&
      /bad revision|not a valid object name|does not have any commits/i.test(error.stderr)
    )
      return null;
    throw error;
  });
  if (!found) {
    throw new Fault('branch_missing', `${withoutUser(url)} has no branch ${wanted ?? 'yet: it is empty'}`);
  }
  let tip = found;
  const { branch } = tip;
  const host = URL.canParse(url) ? new URL(url).hostname : 'localhost';
  const identity: GitIdentity = {
    name: options.author?.name ?? 'sluice',
    email: options.author?.email ?? `sluice@noreply.${host || 'localhost'}`,
  };
  const fetched = new Set<string>();
  /** Blobs that most likely came with a refresh. */
  const here = new Set<string>();
  const left = new AbortController();
  let deepening: Promise<void> = Promise.resolve();
  const fetch = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance'] as const;
  const noHaves = ['-c', 'fetch.negotiationAlgorithm=noop'] as const;
  const reference = `+refs/heads/${branch}:refs/heads/${branch}`;
  const repository = await openRepository({ folder: bare, processes, env: offline, blobless: true });
  const past = openBranchPast({
    local: locally,
    transport,
    files: options.files,
    url,
    folder: `${folder.path}/past.git`,
  });

  async function bring(oids: readonly string[], abort: AbortSignal | undefined): Promise<void> {
    if (oids.length === 0) return;
    const input = oids.map((oid) => `${oid}\n`).join('');
    await transport([...noHaves, ...fetch, '--filter=blob:none', '--stdin', 'origin'], { signal: abort, input });
    for (const oid of oids) fetched.add(oid);
  }

  function contents(oids: readonly string[], abort: AbortSignal | undefined) {
    const missing = filtered ? [...new Set(oids)].filter((oid) => !fetched.has(oid) && !here.has(oid)) : [];
    const ready = bring(missing, abort);
    ready.catch(() => {});
    return streamBlobs(processes, bare, { ...env, ...offline }, oids, abort, ready);
  }

  async function deepened(since: number | null, abort: AbortSignal): Promise<void> {
    const [newest] = tip.history;
    if (newest && (await options.files.read(`${bare}/shallow`)) !== null) await past.fetch(newest, since, abort);
  }

  return {
    url,
    branch,
    folder: bare,
    repository,
    head: () => Promise.resolve(tip.sha),
    tree: () => Promise.resolve(tip.tree),
    history: () => Promise.resolve(past.continued(tip.history)),
    async refresh(abort) {
      const former = new Set(tip.tree.map((entry) => entry.oid));
      await transport([...fetch, SMALL_FILES, 'origin', reference], { signal: abort });
      tip = (await readTip(locally, tip)) ?? tip;
      for (const { oid } of tip.tree) if (!former.has(oid)) here.add(oid);
      return tip.sha;
    },
    deepen(since, abort) {
      deepening = deepened(since, abort ? AbortSignal.any([abort, left.signal]) : left.signal);
      return deepening;
    },
    async *blobs(oids, abort) {
      let read = 0;
      try {
        for await (const blob of contents(oids, abort)) {
          read += 1;
          yield blob;
        }
        return;
      } catch (error) {
        // What a refresh brings leaves large files out, without a word.
        const guessed = oids.slice(read).filter((oid) => here.delete(oid));
        if (guessed.length === 0 || abort?.aborted) throw error;
      }
      yield* contents(oids.slice(read), abort);
    },
    async commit(parent, files, message) {
      const at = Math.floor(clock.now() / 1000);
      const known = parent === tip.sha ? tip.tree : await repository.tree(parent);
      const modes = new Map(known.map((entry) => [entry.path, entry.mode]));
      const sha = await writeCommit(locally, parent, files, modes, message, identity, at);
      const { signingKey } = options;
      return signingKey ? signCommit(locally, processes, sha, signingKey, `${folder.path}/signing-key`) : sha;
    },
    push: (sha, target, { lease, signal: abort } = {}) =>
      pushCommit(patient, url, sha, target, { lease, signal: abort }),
    deleteBranch: (target, lease, abort) => pushCommit(patient, url, '', target, { lease, signal: abort }),
    remoteBranch: (name, abort) => tipOf(patient, url, `${folder.path}/branch.git`, name, identity, abort),
    async [Symbol.asyncDispose]() {
      left.abort(new Error('the clone is no longer needed'));
      await deepening.catch(() => {});
      await folder[Symbol.asyncDispose]();
    },
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
