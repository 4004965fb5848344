import { Fault } from '../fault.ts';
import type { Secret } from '../secret.ts';
import { type GitSetting, gitEnvironment } from './git-environment.ts';
import type { Git } from './git-local.ts';
import { ProcessFailure, type Processes } from './process.ts';

/** Who commits. */
export interface GitIdentity {
  readonly name: string;
  readonly email: string;
}

/** Where fast-import leaves the commit; never pushed under this name. */
const REF = 'refs/sluice/commit';

/**
 * Writes one commit on `parent` that replaces the contents of `files`, by one `git fast-import`: no work tree, no
 * index, and none of the other blobs is needed. `modes` are those of the parent's files; a new one gets 100644.
 * Fault `tree_refused` where a path is a symlink or
 * submodule, or no UTF-8. `at`: seconds since the epoch. Answers the commit's id.
 */
export async function writeCommit(
  git: Git,
  parent: string,
  files: ReadonlyMap<string, Uint8Array>,
  modes: ReadonlyMap<string, string>,
  message: string,
  identity: GitIdentity,
  at: number,
): Promise<string> {
  const person = `${nameOf(identity.name)} <${nameOf(identity.email)}> ${at} +0000\n`;
  const parts: (string | Uint8Array)[] = ['feature done\n', `commit ${REF}\nmark :1\n`];
  parts.push(`author ${person}committer ${person}`, ...data(Buffer.from(message)), `from ${parent}\n`);
  for (const [path, content] of files) {
    // What git gave is no UTF-8 where it was decoded to this: written back it would be another file.
    if (path.includes('\uFFFD'))
      throw new Fault('tree_refused', `the name of ${path} is not UTF-8`, { hint: 'Rename it.' });
    const mode = modes.get(path) ?? '100644';
    if (!mode.startsWith('100')) {
      throw new Fault('tree_refused', `${path} is a ${mode === '120000' ? 'symlink' : 'submodule'}, not a file`);
    }
    parts.push(`M ${mode} inline ${quoted(path)}\n`, ...data(content));
  }
  parts.push('\nget-mark :1\ndone\n');
  const input = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return (await git(['fast-import', '--quiet', '--force'], { input })).text.trim();
}

/**
 * The same commit, signed with an SSH key (a private key in OpenSSH's format, without passphrase). The key lies in
 * `file` while git signs, readable by its owner alone. Needs ssh-keygen. Fault `token_refused` where it cannot sign.
 */
export async function signCommit(
  git: Git,
  processes: Processes,
  commit: string,
  key: Secret,
  file: string,
): Promise<string> {
  const keep = ['-c', 'umask 077; cat > "$1"', 'sh', file];
  await processes.run('sh', keep, { input: `${key.reveal().trim().replaceAll('\r\n', '\n')}\n` });
  const raw = (await git(['cat-file', 'commit', commit])).text;
  const head = raw.slice(0, raw.indexOf('\n\n'));
  const field = (name: string) => new RegExp(`^${name} (.*)$`, 'm').exec(head)?.[1] ?? '';
  const [, name = '', email = '', at = ''] = /^(.*) <(.*)> (\d+ [+-]\d{4})$/.exec(field('author')) ?? [];
  const settings: readonly GitSetting[] = [
    ['gpg.format', 'ssh'],
    ['user.signingKey', file],
  ];
  const env = {
    ...gitEnvironment(settings),
    GIT_AUTHOR_NAME: name,
    GIT_AUTHOR_EMAIL: email,
    GIT_AUTHOR_DATE: at,
    GIT_COMMITTER_NAME: name,
    GIT_COMMITTER_EMAIL: email,
    GIT_COMMITTER_DATE: at,
  };
  try {
    const args = ['commit-tree', '-S', '-p', field('parent'), '-F', '-', field('tree')];
    return (await git(args, { env, input: raw.slice(raw.indexOf('\n\n') + 2) })).text.trim();
  } catch (error) {
    if (!(error instanceof ProcessFailure)) throw error;
    throw new Fault('token_refused', 'the commit cannot be signed with SLUICE_COMMIT_SIGNING_KEY', {
      hint: 'It must be a private SSH key without passphrase, and ssh-keygen must be installed.',
    });
  } finally {
    await processes.run('rm', ['-f', '--', file]);
  }
}

function data(content: Uint8Array): readonly (string | Uint8Array)[] {
  return [`data ${content.length}\n`, content, '\n'];
}

/** A path as fast-import wants it (https://git-scm.com/docs/git-fast-import, "path"). */
function quoted(path: string): string {
  return `"${path.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}

/** A name or address without what git forbids in an identity line. */
function nameOf(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what has to go
  return text.replaceAll(/[<>\u0000-\u001F\u007F]/g, '').trim() || 'sluice';
}
