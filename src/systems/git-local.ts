import { Fault } from '../fault.ts';
import { streamBlobs, streamContents } from './git-blobs.ts';
import { gitEnvironment, schemeOf } from './git-environment.ts';
import { fetchMissing, unshallow } from './git-history.ts';
import type { CommitInfo, GitRepository, TreeEntry } from './git.ts';
import { ProcessFailure, type Processes, type RunOptions } from './process.ts';

/** Runs git in one repository with the harmless environment. */
export type Git = (args: readonly string[], options?: RunOptions) => Promise<{ exitCode: number; text: string }>;

const DAMAGED = 'The clone is damaged or incomplete: clone it again (GIT_STRATEGY: clone).';
const COMMIT_ID = /^[0-9a-f]{40}$/;
const FORMAT = '--format=%H%x00%P%x00%ct%x00%B';

/**
 * Opens a local repository (work tree, bare, shallow, blobless) for reading; `env` is added to every git call.
 * Fault `file_missing` where the folder holds no repository, `tool_missing` without git.
 * In a bare blobless clone the entries of `tree` have no sizes, since asking would fetch every blob.
 */
export async function openRepository(options: {
  readonly folder: string;
  readonly processes: Processes;
  readonly env?: Readonly<Record<string, string>>;
  /** Is it known to be a bare clone without blobs that fetches none by itself? Then its configuration is not read. */
  readonly blobless?: boolean;
}): Promise<GitRepository> {
  const { folder, processes } = options;
  const env = { ...gitEnvironment(), GIT_NO_LAZY_FETCH: '1', ...options.env };
  const git: Git = (args, more = {}) =>
    processes.run('git', args, { cwd: folder, ...more, env: { ...env, ...more.env } });
  const { sizes, lazy } = options.blobless ? { sizes: false, lazy: [] } : await settingsOf(git, folder);

  async function known(sha: string): Promise<boolean> {
    const found = await git(['rev-parse', '--verify', '--quiet', '--end-of-options', `${sha}^{commit}`], {
      accept: [0, 1, 128],
    });
    return found.exitCode === 0;
  }

  async function isShallow(): Promise<boolean> {
    return (await git(['rev-parse', '--is-shallow-repository'])).text.trim() === 'true';
  }

  async function present(...commits: readonly string[]): Promise<void> {
    for (const sha of commits) {
      if (COMMIT_ID.test(sha) && (await known(sha))) continue;
      throw new Fault('commit_missing', `commit ${sha} is not in ${folder}`);
    }
  }

  /** A failed read is asked for its reason only then: a missing commit is the caller's fault, all else is git's. */
  function explained(sha: string): (error: unknown) => Promise<never> {
    return async (error) => {
      await present(sha);
      if (!(error instanceof ProcessFailure)) throw error;
      const said = error.stderr.trim().split('\n').at(-1) ?? '';
      throw new Fault('commit_missing', `commit ${sha} cannot be read in ${folder}: ${said}`, { hint: DAMAGED });
    };
  }

  async function deepened(...commits: readonly string[]): Promise<void> {
    if (await isShallow()) await unshallow(git, folder, commits);
    await fetchMissing(
      git,
      commits.filter((sha) => COMMIT_ID.test(sha)),
    );
    await present(...commits);
  }

  async function walk(since: string | null, until: string, limit: number | undefined): Promise<readonly CommitInfo[]> {
    const answer = await git([
      'log',
      '-z',
      '--no-color',
      '--no-decorate',
      FORMAT,
      ...(limit === undefined ? [] : [`--max-count=${limit}`]),
      '--end-of-options',
      until,
      ...(since === null ? [] : [`^${since}`]),
      '--',
    ]);
    return parseLog(answer.text);
  }

  return {
    folder,
    async resolve(revision) {
      if (revision === '') return null;
      const found = await git(['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`], {
        accept: [0, 1, 128],
      });
      return found.exitCode === 0 ? found.text.trim() : null;
    },
    async commit(sha) {
      if (!COMMIT_ID.test(sha)) await present(sha);
      const [commit] = await walk(null, sha, 1).catch(explained(sha));
      if (!commit) throw new Fault('commit_missing', `commit ${sha} is not in ${folder}`);
      return commit;
    },
    async tree(sha, folders) {
      if (!COMMIT_ID.test(sha)) await present(sha);
      const below = folders?.map((path) => path.replace(/^(\.?\/)+|\/+$/g, '')) ?? [];
      if (folders?.length === 0) return [];
      const paths = below.some((path) => path === '' || path === '.') ? [] : below;
      const flags = ['-r', '-z', '--full-tree', ...(sizes ? ['-l'] : [])];
      const answer = await git(['ls-tree', ...flags, sha, '--', ...paths]).catch(explained(sha));
      return parseTree(answer.text);
    },
    blobs(oids, signal) {
      return streamBlobs(processes, folder, { ...gitEnvironment([], lazy), ...options.env }, oids, signal);
    },
    contents(oids, signal) {
      return streamContents(processes, folder, { ...gitEnvironment([], lazy), ...options.env }, oids, signal);
    },
    async versions(path, until, limit) {
      const flags = ['--format=', '--raw', '--no-abbrev', '--no-renames', '-m', '--no-color', `--max-count=${limit}`];
      const answer = await git(['log', ...flags, '--end-of-options', until, '--', path]).catch(explained(until));
      const found = answer.text.matchAll(/^:\d+ 100\d+ [0-9a-f]+ ([0-9a-f]{40}) /gm);
      return [...new Set([...found].map(([, oid = '']) => oid))];
    },
    isShallow,
    async log(since, until, limit) {
      if (since === null) return walk(since, until, limit).catch(explained(until));
      if (!(await known(since))) await deepened(until, since);
      else await present(until);
      const commits = await walk(since, until, limit);
      // A commit without parents may be the edge of a shallow clone: what lies below it is not known.
      if (!commits.some((commit) => commit.parents.length === 0) || !(await isShallow())) {
        return commits;
      }
      await deepened(until, since);
      return walk(since, until, limit);
    },
    async isAncestor(older, newer) {
      const ask = async () =>
        (await git(['merge-base', '--is-ancestor', older, newer], { accept: [0, 1, 128] })).exitCode;
      if (![older, newer].every((sha) => COMMIT_ID.test(sha))) await present(older, newer);
      if ((await ask()) === 0) return true;
      await deepened(older, newer);
      return (await ask()) === 0;
    },
  };
}

/** What a repository's configuration says: are sizes known without fetching, and by which protocols blobs come. */
async function settingsOf(
  git: Git,
  folder: string,
): Promise<{ readonly sizes: boolean; readonly lazy: readonly string[] }> {
  const wanted = '^(core\\.bare|remote\\..*\\.(promisor|url))$';
  const settings = await git(['config', '--local', '--includes', '--get-regexp', wanted], { accept: [0, 1] }).catch(
    (error: unknown) => {
      if (!(error instanceof ProcessFailure)) throw error;
      const hint = 'Run inside a checkout, or name one.';
      throw new Fault('file_missing', `${folder} is no git repository`, { hint });
    },
  );
  const remote = /^remote\.(.*)\.promisor true$/m.exec(settings.text)?.[1];
  const lines = settings.text.split('\n');
  const url = lines.find((line) => line.startsWith(`remote.${remote}.url `))?.slice(`remote.${remote}.url `.length);
  return {
    sizes: remote === undefined || !/^core\.bare true$/m.test(settings.text),
    lazy: url === undefined ? [] : [schemeOf(url)],
  };
}

/** Parses `git log -z` in the format of hash, parents, committer date and message, each ended by NUL. */
export function parseLog(text: string): readonly CommitInfo[] {
  const fields = text.split('\0');
  const commits: CommitInfo[] = [];
  for (let index = 0; index + 3 < fields.length; index += 4) {
    const [sha = '', parents = '', committedAt = '', message = ''] = fields.slice(index, index + 4);
    commits.push({ sha, parents: parents === '' ? [] : parents.split(' '), committedAt: Number(committedAt), message });
  }
  return commits;
}

/** Parses `git ls-tree -z [-l]`: "mode type oid [size]", a tab, the path. */
export function parseTree(text: string): readonly TreeEntry[] {
  return text.split('\0').flatMap((line) => {
    const tab = line.indexOf('\t');
    if (tab < 0) return [];
    const [mode = '', , oid = '', size] = line.slice(0, tab).split(/ +/);
    return { path: line.slice(tab + 1), mode, oid, size: size === undefined || size === '-' ? null : Number(size) };
  });
}
