import { Fault } from '../fault.ts';
import type { Secret } from '../secret.ts';
import type { Clock } from './clock.ts';
import type { Files } from './files.ts';
import { streamBlobs } from './git-blobs.ts';
import { type GitIdentity, signCommit, writeCommit } from './git-commit.ts';
import { allowedProtocol, type GitSetting, gitEnvironment, tokenHeader, withoutUser } from './git-environment.ts';
import { classifyFetch, fetchFault, roomFault } from './git-failure.ts';
import { type Git, openRepository } from './git-local.ts';
import { isRedirect, movedTo } from './git-moved.ts';
import { openBranchPast } from './git-past.ts';
import { patience } from './git-patience.ts';
import { pushCommit, pushesWithoutFetch } from './git-push.ts';
import type { CloneOptions, DeliveryClone, DeliveryGit, RemoteTip } from './git-remote.ts';
import { startClone } from './git-start.ts';
import { readTip } from './git-tip.ts';
import type { Http } from './http.ts';
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
  /** Milliseconds since the epoch, until which servers are waited for; default: for ever. */
  readonly deadline?: number;
  /** Finds where a repository has moved to on its server; without it a redirect is a failure. */
  readonly http?: Http;
  /** Told what differs from the usual way, e.g. a server without partial clones. */
  readonly notice?: (text: string) => void;
}

const DAY = 86_400;
/** Hexadecimal digits of a commit id. */
const SHA1_LENGTH = 40;
/** After a lost race the files that changed are needed most likely, and are few: they come with their commits. */
const SMALL_FILES = '--filter=blob:limit=256k';

/** The delivery repository by git over https, ssh, or http on loopback. See `DeliveryGit` for the Faults. */
export function connectDeliveryGit(options: DeliveryGitOptions): DeliveryGit {
  return {
    async clone(url, branch, more = {}) {
      const protocol = allowedProtocol(url, options.allowFile);
      try {
        return await open(options, { ...more, url, protocol, wanted: branch });
      } catch (error) {
        if (!options.http || !isRedirect(error)) throw error;
        const moved = await movedTo(options.http, url, options.token, more.signal);
        options.notice?.(`${withoutUser(url)} has moved to ${moved}`);
        return open(options, { ...more, url: moved, protocol, wanted: branch });
      }
    },
  };
}

async function open(options: DeliveryGitOptions, cloning: Omit<Cloning, 'folder' | 'used'>): Promise<DeliveryClone> {
  const used = new AsyncDisposableStack();
  try {
    const { path } = used.use(await options.files.temporary('sluice-clone-'));
    return await cloned(options, { ...cloning, folder: path, used });
  } catch (error) {
    await used.disposeAsync();
    throw error;
  }
}

/** What is to be cloned, and where. */
interface Cloning extends CloneOptions {
  readonly url: string;
  readonly protocol: string;
  readonly wanted: string | null;
  readonly folder: string;
  /** Ends with the clone. */
  readonly used: AsyncDisposableStack;
}

async function cloned(options: DeliveryGitOptions, cloning: Cloning): Promise<DeliveryClone> {
  const { processes, clock } = options;
  const { url, wanted, folder, used, signal } = cloning;
  const slow: readonly GitSetting[] = [
    ['http.lowSpeedLimit', '100'],
    ['http.lowSpeedTime', '60'],
    ['credential.helper', ''],
    // git would send the token's header on to wherever a redirect leads (see git-moved.ts).
    ['http.followRedirects', 'false'],
    ['protocol.version', '2'],
    ['fastimport.unpackLimit', '100'],
  ];
  const header = options.token !== null && cloning.protocol.startsWith('http') ? [tokenHeader(url, options.token)] : [];
  const env = {
    ...gitEnvironment([...slow, ...header], [cloning.protocol]),
    GIT_SSH_COMMAND: 'ssh -oBatchMode=yes',
  };
  // What only works on files here gets no token to hold.
  const offline = { ...gitEnvironment(slow), GIT_NO_LAZY_FETCH: '1' };
  const bare = `${folder}/delivery.git`;
  const git: Git = (args, more = {}) => processes.run('git', args, { cwd: bare, env, ...more });
  const locally: Git = (args, more = {}) =>
    git(args, { ...more, env: { ...offline, ...more.env } }).catch((error: unknown) => {
      throw roomFault(error, url) ?? error;
    });
  const patiently = patience({ clock, url, deadline: options.deadline });
  const withPatience =
    (run: Git, what: 'fetch' | 'push'): Git =>
    (args, more = {}) =>
      patiently((abort) => run(args, { ...more, signal: abort }), more.signal, what);
  const patient = withPatience(git, 'fetch');
  const patientPush = withPatience(pushesWithoutFetch(git, env), 'push');
  const transport: Git = (args, more) =>
    patient(args, more).catch((error: unknown) => {
      throw fetchFault(error, url, wanted);
    });

  const past = openBranchPast({ local: locally, transport, files: options.files, url, folder: `${folder}/past.git` });
  const left = new AbortController();
  const whileOpen = (abort?: AbortSignal) => (abort ? AbortSignal.any([abort, left.signal]) : left.signal);
  let deepening = Promise.resolve();
  used.defer(async () => {
    left.abort(new Error('the clone is no longer needed'));
    await past.settled();
    await deepening.catch(() => {});
  });
  const starting = patiently(
    (abort) => startClone((args) => processes.run('git', args, { cwd: folder, env, signal: abort }), url, wanted, bare),
    signal,
  );
  starting.catch(() => {});
  if (cloning.since !== undefined)
    await past.begin(wanted === null ? 'HEAD' : `refs/heads/${wanted}`, cloning.since, whileOpen(signal));
  cloning.meanwhile?.();
  const started = await starting.catch((error: unknown) => {
    throw fetchFault(error, url, wanted);
  });
  let { filtered } = started;
  const tellWhole = () =>
    options.notice?.(`${withoutUser(url)} knows no partial clones: all files of its tip were fetched`);
  if (!filtered) tellWhole();
  const found = await readTip(locally).catch((error: unknown) => {
    if (
      error instanceof ProcessFailure &&
      /bad revision|not a valid object name|does not have any commits/i.test(error.stderr)
    )
      return null;
    throw error;
  });
  if (!found && !started.smart)
    throw new Fault('git_unavailable', `${withoutUser(url)} answers, but not as a git server`);
  if (!found) {
    throw new Fault(
      'branch_missing',
      `${withoutUser(url)} has no branch ${wanted ?? 'that it calls its default: name one'}`,
    );
  }
  if (found.sha.length !== SHA1_LENGTH) {
    throw new Fault('not_supported', `${withoutUser(url)} has SHA-256 commit ids`, {
      hint: 'Flux and GitLab’s statuses take SHA-1: keep the manifests in a repository of that format.',
    });
  }
  let tip = found;
  const { branch } = tip;
  const host = URL.canParse(url) ? new URL(url).hostname : 'localhost';
  const identity: GitIdentity = {
    name: options.author?.name || 'sluice',
    email: options.author?.email || `sluice@noreply.${host || 'localhost'}`,
  };
  const fetched = new Set<string>();
  /** Blobs that most likely came with a refresh. */
  const here = new Set<string>();
  const fetch = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance'] as const;
  const noHaves = ['-c', 'fetch.negotiationAlgorithm=noop'] as const;
  const reference = `+refs/heads/${branch}:refs/heads/${branch}`;
  const repository = await openRepository({ folder: bare, processes, env: offline, blobless: true });

  async function bring(oids: readonly string[], abort: AbortSignal | undefined): Promise<void> {
    if (oids.length === 0) return;
    const input = oids.map((oid) => `${oid}\n`).join('');
    try {
      await transport([...noHaves, ...fetch, '--filter=blob:none', '--stdin', 'origin'], { signal: abort, input });
    } catch (error) {
      // Before protocol 2 a server leaves files out, and may then give none by its id.
      if (!(error instanceof Fault) || !/unadvertised object/i.test(error.message)) throw error;
      await transport([...fetch, '--refetch', '--no-filter', 'origin', reference], { signal: abort });
      filtered = false;
      tellWhole();
    }
    for (const oid of oids) fetched.add(oid);
  }

  function contents(oids: readonly string[], abort: AbortSignal | undefined) {
    const missing = filtered ? [...new Set(oids)].filter((oid) => !fetched.has(oid) && !here.has(oid)) : [];
    const ready = bring(missing, abort);
    ready.catch(() => {});
    return streamBlobs(processes, bare, offline, oids, abort, ready);
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
      const files = filtered ? SMALL_FILES : '--no-filter';
      await transport([...fetch, files, 'origin', reference], { signal: abort });
      tip = (await readTip(locally, tip)) ?? tip;
      for (const { oid } of tip.tree) if (!former.has(oid)) here.add(oid);
      return tip.sha;
    },
    deepen(since, abort) {
      deepening = deepened(since, whileOpen(abort));
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
      const at = dateOn(tip.history.find((commit) => commit.sha === parent)?.committedAt ?? 0, clock.now());
      const known = parent === tip.sha ? tip.tree : await repository.tree(parent);
      const modes = new Map(known.map((entry) => [entry.path, entry.mode]));
      const sha = await writeCommit(locally, parent, files, modes, message, identity, at);
      const { signingKey } = options;
      return signingKey ? signCommit(locally, processes, sha, signingKey, `${folder}/signing-key`) : sha;
    },
    push: (sha, target, { lease, signal: abort } = {}) =>
      pushCommit(patientPush, url, sha, target, { lease, signal: abort }),
    deleteBranch: (target, lease, abort) => pushCommit(patientPush, url, '', target, { lease, signal: abort }),
    remoteBranch: (name, abort) => tipOf(patient, url, `${folder}/branch.git`, name, identity, abort),
    [Symbol.asyncDispose]: () => used.disposeAsync(),
  };
}

/**
 * Seconds since the epoch that a commit gets: not before its parent, which a runner whose clock is ahead has made. Servers
 * cut a history at the first commit that is older than asked for. A clock that is days ahead is not followed.
 */
function dateOn(parentAt: number, now: number): number {
  const at = Math.floor(now / 1000);
  return parentAt > at && parentAt - at < DAY ? parentAt : at;
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
