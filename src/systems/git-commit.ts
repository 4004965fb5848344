import { Fault } from '../fault.ts';
import type { Git } from './git-local.ts';

/** Who commits. */
export interface GitIdentity {
  readonly name: string;
  readonly email: string;
}

/** Where fast-import leaves the commit; never pushed under this name. */
const REF = 'refs/sluice/commit';

/**
 * Writes one commit on `parent` that replaces the contents of `files`, by one `git fast-import`: no work tree, no
 * index, and none of the other blobs is needed. Modes are kept; a new file gets 100644.
 * Fault `tree_refused` where a path is a symlink or submodule. `at`: seconds since the epoch. Answers the commit's id.
 */
export async function writeCommit(
  git: Git,
  parent: string,
  files: ReadonlyMap<string, Uint8Array>,
  message: string,
  identity: GitIdentity,
  at: number,
): Promise<string> {
  const modes = await modesOf(git, parent, [...files.keys()]);
  const person = `${nameOf(identity.name)} <${nameOf(identity.email)}> ${at} +0000\n`;
  const parts: (string | Uint8Array)[] = ['feature done\n', `commit ${REF}\nmark :1\n`];
  parts.push(`author ${person}committer ${person}`, ...data(Buffer.from(message)), `from ${parent}\n`);
  for (const [path, content] of files) {
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

async function modesOf(git: Git, commit: string, paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const listed = await git(['ls-tree', '-z', '--full-tree', commit, '--', ...paths]);
  return new Map(
    listed.text
      .split('\0')
      .filter((line) => line.includes('\t'))
      .map((line): [string, string] => [line.slice(line.indexOf('\t') + 1), line.slice(0, line.indexOf(' '))]),
  );
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
