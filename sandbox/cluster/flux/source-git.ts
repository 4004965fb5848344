import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterObject } from '../handle.ts';
import { at, fields, spec, text } from '../store/object.ts';
import { measure } from './artifacts.ts';
import { filterFolder } from './ignore.ts';
import { newestMatching } from './semver.ts';
import { type Resolve, SourceFailure } from './source.ts';
import { kindOf, type World } from './world.ts';

interface Remote {
  readonly git: (args: readonly string[], cwd: string) => Promise<string>;
  readonly url: string;
}

const failed = (why: string) =>
  new SourceFailure('GitOperationFailed', `failed to checkout and determine revision: ${why}`);

/** go-git's words for what git says. */
function translate(url: string, stderr: string, said: string): string {
  const address = `${new URL(url).hostname}:${new URL(url).port || (url.startsWith('https') ? '443' : '80')}`;
  const get = `Get "${url}/info/refs?service=git-upload-pack"`;
  const why = () => {
    if (/authentication failed|could not read username|error: 401/i.test(stderr))
      return `authentication required: ${said}`;
    if (/error: 403|forbidden/i.test(stderr)) return `authorization failed: ${said}`;
    if (/not found|does not exist|error: 404/i.test(stderr)) return `repository not found: ${said}`;
    if (/failed to connect|couldn't connect/i.test(stderr))
      return `${get}: dial tcp ${address}: connect: connection refused`;
    if (/could not resolve host/i.test(stderr))
      return `${get}: dial tcp: lookup ${new URL(url).hostname}: no such host`;
    return stderr.trim().split('\n').at(-1) ?? '';
  };
  return `unable to clone '${url}': ${why()}`;
}

function header(world: World, object: ClusterObject): Record<string, string> {
  const name = text(at(object, 'spec', 'secretRef', 'name'));
  if (name === '') return {};
  const namespace = object.metadata.namespace ?? '';
  const secret = world.store.find(kindOf(world.store, 'Secret'), namespace, name);
  if (!secret) {
    throw new SourceFailure(
      'AuthenticationFailed',
      `failed to get secret '${namespace}/${name}': failed to get secret '${namespace}/${name}': secrets "${name}" not found`,
    );
  }
  const value = (key: string) => Buffer.from(text(fields(secret['data'])[key]), 'base64').toString('utf8');
  const bearer = value('bearerToken');
  const basic = Buffer.from(`${value('username')}:${value('password')}`).toString('base64');
  return {
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'http.extraHeader',
    GIT_CONFIG_VALUE_0: `Authorization: ${bearer === '' ? `Basic ${basic}` : `Bearer ${bearer}`}`,
  };
}

/** What the server says itself: go-git's messages hold it, git's do not. */
async function serverText(url: string, authorization: string | undefined, signal: AbortSignal): Promise<string> {
  try {
    const headers = authorization === undefined ? {} : { authorization };
    return await (await fetch(`${url}/info/refs?service=git-upload-pack`, { headers, signal })).text();
  } catch {
    signal.throwIfAborted();
    return '';
  }
}

function openRemote(world: World, object: ClusterObject, signal: AbortSignal): Remote {
  const shown = text(spec(object)['url']);
  const url = world.locate(shown);
  const credential = header(world, object);
  const env = { GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_NOSYSTEM: '1', ...credential };
  const authorization = credential['GIT_CONFIG_VALUE_0']?.replace('Authorization: ', '');
  return {
    url,
    git: async (args, cwd) => {
      const ran = await world.run('git', args, { cwd, env, signal });
      if (ran.code !== 0) throw failed(translate(shown, ran.stderr, await serverText(url, authorization, signal)));
      return ran.stdout;
    },
  };
}

/** The ref to fetch and the name that a revision begins with. */
async function pickRef(
  remote: Remote,
  object: ClusterObject,
  cwd: string,
): Promise<{ ref: string; sha: string; name: string }> {
  const wanted = fields(at(object, 'spec', 'ref'));
  const listing = await remote.git(['ls-remote', '--', remote.url], cwd);
  const refs = new Map(
    listing
      .trim()
      .split('\n')
      .map((line): [string, string] => {
        const [sha = '', ref = ''] = line.split('\t');
        return [ref, sha];
      }),
  );
  const branch = text(wanted['branch']) || 'master';
  const find = (ref: string, name: string) => {
    const sha = refs.get(`${ref}^{}`) ?? refs.get(ref);
    if (sha === undefined)
      throw failed(`unable to clone '${text(spec(object)['url'])}': couldn't find remote ref "${ref}"`);
    return { ref, sha, name };
  };
  const commit = text(wanted['commit']);
  if (commit !== '') {
    return { ref: commit, sha: commit, name: text(wanted['branch']) };
  }
  if (text(wanted['name']) !== '') return find(text(wanted['name']), text(wanted['name']));
  if (text(wanted['semver']) !== '') {
    const tags = [...refs.keys()].filter((ref) => /^refs\/tags\/[^^]+$/.test(ref)).map((ref) => ref.slice(10));
    const tag = newestMatching(tags, text(wanted['semver']));
    if (tag === null) throw failed(`no match found for semver: ${text(wanted['semver'])}`);
    return find(`refs/tags/${tag}`, tag);
  }
  if (text(wanted['tag']) !== '') return find(`refs/tags/${text(wanted['tag'])}`, text(wanted['tag']));
  return find(`refs/heads/${branch}`, branch);
}

async function checkout(
  world: World,
  object: ClusterObject,
  remote: Remote,
  ref: string,
): Promise<{ folder: string; sha: string }> {
  const folder = await world.makeFolder('git');
  await remote.git(['init', '-q', '.'], folder);
  await remote.git(['fetch', '-q', '--depth', '1', '--no-tags', remote.url, ref], folder);
  const sha = (await remote.git(['rev-parse', 'FETCH_HEAD^{commit}'], folder)).trim();
  await remote.git(['-c', 'core.symlinks=true', '-c', 'core.hooksPath=/dev/null', 'checkout', '-q', sha], folder);
  if (existsSync(join(folder, '.git'))) await rm(join(folder, '.git'), { recursive: true, force: true });
  const specIgnore = text(spec(object)['ignore']);
  await filterFolder(folder, specIgnore === '' ? null : specIgnore);
  return { folder, sha };
}

/** Resolves a GitRepository with the real git: commit > name > semver > tag > branch. */
export const resolveGit: Resolve = async (world, object, signal) => {
  const remote = openRemote(world, object, signal);
  const home = await world.makeFolder('list');
  const picked = await (async () => {
    try {
      return await pickRef(remote, object, home);
    } finally {
      await rm(home, { recursive: true, force: true, maxRetries: 5 });
    }
  })();
  const revisionOf = (sha: string) => (picked.name === '' ? `sha1:${sha}` : `${picked.name}@sha1:${sha}`);
  const isStanding = at(object, 'status', 'artifact', 'revision') === revisionOf(picked.sha);
  const clone = isStanding ? null : await checkout(world, object, remote, picked.ref);
  const revision = revisionOf(clone?.sha ?? picked.sha);
  return {
    revision,
    news: `new upstream revision '${revision}'`,
    stored: `stored artifact for revision '${revision}'`,
    observed: { observedIgnore: spec(object)['ignore'] },
    fetch: async () => {
      const { folder } = clone ?? (await checkout(world, object, remote, picked.ref));
      return { folder, file: null, ...(await measure(folder)) };
    },
  };
};
