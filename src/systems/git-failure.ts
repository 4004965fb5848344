import { Fault } from '../fault.ts';
import { withoutUser } from './git-environment.ts';
import { ProcessFailure } from './process.ts';

/** What a failed talk with a git server was about. */
export type GitFailure = 'refused-token' | 'missing-branch' | 'unavailable';

const REFUSED_TOKEN = [
  /Authentication failed/i,
  /could not read (Username|Password)/i,
  /The requested URL returned error: 40[13]/i,
  /HTTP Basic: Access denied/i,
  /Permission denied \(publickey/i,
  /You are not allowed to (download|push) code (from|to) this project/i,
  /The project you were looking for could not be found/i,
  /The requested URL returned error: 404/i,
  /repository '.*' not found/i,
];

const MISSING_BRANCH = [
  /Remote branch [^]* not found in upstream/i,
  /couldn't find remote ref/i,
  /You appear to have cloned an empty repository/i,
  /src refspec .* does not match any/i,
];

/**
 * Classifies git's stderr (C locale) of clone, fetch and ls-remote. GitLab answers 404 "not found" to a token that may
 * not see the project (https://docs.gitlab.com/user/project/repository/), hence not-found counts as a refused token.
 */
export function classifyFetch(stderr: string): GitFailure {
  if (MISSING_BRANCH.some((pattern) => pattern.test(stderr))) return 'missing-branch';
  if (REFUSED_TOKEN.some((pattern) => pattern.test(stderr))) return 'refused-token';
  return 'unavailable';
}

/** What GitLab's refusals by hook or protection look like, and that it is no race. */
const POLICY = [
  /protected branch/i,
  /pre-receive hook declined/i,
  /update hook declined|hook declined/i,
  /You are not allowed to/i,
  /deny updating a hidden ref/i,
  /refusing to (create|update|delete)/i,
  /push rule/i,
  /\bGL-HOOK-ERR\b/,
];

/**
 * What lasts: a branch whose name is the beginning of another's, as `sluice` of `sluice/staging/web`, and a server whose
 * receive.denyNonFastForwards lets no branch be rewritten.
 */
const LASTING = /' exists; cannot create '|\(refname conflict\)|denying non-fast-forward refs\//i;

/** What git itself says of a branch that has moved on; in a hook's own words it would mean anything. */
const RACED_STATUS = [/non-fast-forward/i, /fetch first/i, /stale info/i, /remote ref updated since checkout/i];

const RACED = [
  /cannot lock ref/i,
  /incorrect old value provided/i,
  /failed to update ref|failed to lock|Unable to create '.*\.lock'/i,
  /reference already exists/i,
  /is at [0-9a-f]{40} but expected [0-9a-f]{40}/i,
];

/** A status line of a push: porcelain or for people. */
const STATUS = /^\s*!.*$/gm;

/** Why a push failed, from stdout of `--porcelain` and stderr. A hook that names a race is a race, not a policy. */
export function classifyPush(output: string): 'raced' | 'refused' | GitFailure {
  const statuses = (output.match(STATUS) ?? []).join('\n');
  if (statuses === '' && /The requested URL returned error/i.test(output)) return classifyFetch(output);
  if (LASTING.test(output)) return 'refused';
  if (RACED_STATUS.some((pattern) => pattern.test(statuses))) return 'raced';
  // The server could not keep the objects, e.g. for want of room.
  if (/\(unpacker error\)/i.test(statuses)) return 'unavailable';
  if (RACED.some((pattern) => pattern.test(output))) return 'raced';
  // Where there is a status the server took the credential: what else is said are a hook's words.
  const fetch = statuses === '' ? classifyFetch(output) : 'unavailable';
  if (fetch !== 'unavailable') return fetch;
  if (POLICY.some((pattern) => pattern.test(output))) return 'refused';
  return /\[(remote )?rejected\]|^!\t/m.test(output) ? 'refused' : 'unavailable';
}

const TRANSIENT = [
  /The requested URL returned error: (429|5\d\d)/i,
  /hung up unexpectedly|early EOF|RPC failed|unexpected disconnect|Empty reply from server/i,
  /Connection (refused|reset|timed out)|Failed to connect|Couldn't connect|Operation timed out|Could not resolve host/i,
  /Operation too slow|transfer closed|Recv failure|Send failure/i,
];

/** This side's disk is full, or a limit (signal 25 is SIGXFSZ) reached; the server's own lines begin with "remote:". */
const NO_ROOM =
  /^(?!remote:).*(No space left on device|Out of diskspace|Disk quota exceeded|File too large|died of signal 25)/im;

/** Is the failure one that may be gone in a moment? What the server says of itself ("remote:") tells nothing of the connection. */
export function isTransient(stderr: string): boolean {
  const own = stderr.replaceAll(/^remote:.*$/gm, '');
  if (/does not (support|allow)/i.test(own)) return false;
  return classifyFetch(stderr) === 'unavailable' && TRANSIENT.some((pattern) => pattern.test(own));
}

/**
 * The server's words in stderr: lines that begin with "remote:", else git's own; no blank lines, no rulers, no control
 * characters, one line.
 */
export function serverWords(output: string): string {
  const lines = output.split(/\r|\n/).map((line) => line.replaceAll(/\p{Cc}+/gu, ' ').trim());
  const remote = lines.flatMap((line) => /^remote:\s*(.*\S)/.exec(line)?.[1] ?? []);
  const own = lines.filter((line) => /^(fatal|error|ssh|redirect|!)[:\s]|rejected\]/.test(line));
  const words = (remote.length > 0 ? [...remote, ...own.filter((line) => /rejected/.test(line))] : own)
    .filter((line) => /\w/.test(line) && !/^=+$/.test(line))
    .map((line) => line.replace(/^(GitLab|GL-HOOK-ERR|ERROR|error|fatal):\s*/, ''))
    .map((line) => line.replace(/^could not read (Username|Password) for .*/, 'the credential is refused (401)'))
    .map((line) => line.replace(/^!\s+\S+\s+(?=\[)/, ''))
    .filter((line, _, all) => all.length === 1 || !line.startsWith('failed to push some refs to'));
  return (
    withoutUser([...new Set(words)].join('; '))
      .replaceAll(/(:\/\/)[^/@\s']*@/g, '$1')
      .slice(0, 600) || 'no words'
  );
}

/** Fault `file_unreadable` where git failed since this machine has no room for the repository; else null. */
export function roomFault(error: unknown, url: string): Fault | null {
  if (!(error instanceof ProcessFailure) || !NO_ROOM.test(error.stderr)) return null;
  return new Fault('file_unreadable', `${withoutUser(url)} cannot be kept here: ${serverWords(error.stderr)}`, {
    hint: 'Free space in the folder of temporary files (TMPDIR), or raise the limits of the job.',
  });
}

/**
 * The Fault for a failed talk with a git server: `token_refused`, `branch_missing`, `git_unavailable`, or
 * `file_unreadable` where this machine has no room. Anything that is no failure of git (a Fault, an abort) comes back
 * as it is.
 */
export function fetchFault(error: unknown, url: string, branch: string | null): unknown {
  if (!(error instanceof ProcessFailure)) return error;
  const where = withoutUser(url);
  const words = serverWords(error.stderr);
  const room = roomFault(error, url);
  if (room !== null) return room;
  switch (classifyFetch(error.stderr)) {
    case 'refused-token':
      return new Fault('token_refused', `${where}: ${words}`, {
        hint: 'SLUICE_GIT_TOKEN (or SLUICE_GITLAB_TOKEN) needs write_repository on this project; GitLab answers "not found" without it.',
      });
    case 'missing-branch':
      return new Fault('branch_missing', `${where} has no branch ${branch === null ? 'to read' : `"${branch}"`}`);
    default:
      return new Fault('git_unavailable', `${where}: ${words}`, {
        hint: /certificate|SSL|TLS/i.test(error.stderr) ? 'Name the CA of the server in SSL_CERT_FILE.' : undefined,
      });
  }
}
