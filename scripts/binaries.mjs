// Builds pinned Go tools from the modules in test/lab/wrap and test/lab/oracle into a per-user cache.
// No dependencies, and no syntax beyond Node 20: this runs before anything is installed.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const LAB = join(dirname(fileURLToPath(import.meta.url)), '..', 'test', 'lab');
/** Wrapper modules of others' programs, and programs of our own. */
const FOLDERS = ['wrap', 'oracle'];
const VERSION_PACKAGE = 'k8s.io/component-base/version';

/** Seconds that a cold build takes on two cores; shown as an estimate, never asserted. */
const COLD_SECONDS = {
  oras: 30,
  kustomize: 40,
  yq: 40,
  registry: 130,
  etcd: 30,
  'kube-apiserver': 340,
  'source-controller': 285,
  'kustomize-controller': 230,
  'notification-controller': 190,
  'helm-controller': 130,
  'flux-oracle': 40,
  cosign: 350,
};

/** Where built tools are kept: $XDG_CACHE_HOME/sluice/bin, else ~/.cache/sluice/bin. */
export function cacheDirectory(env = process.env) {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'sluice', 'bin');
}

/** The Go toolchain's version ("go1.26.8"), or undefined where Go is missing. */
export function goVersion() {
  const { status, stdout } = spawnSync('go', ['env', 'GOVERSION'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** Fails with the repair when Go is missing or older than 1.26. */
export function requireGo(why) {
  const version = goVersion();
  if (!version)
    throw new Error(`Go is missing. ${why} Install Go 1.26 or newer from https://go.dev/dl/ and put it on the PATH.`);
  const [major, minor] = version.replace(/^go/, '').split('.').map(Number);
  if (major < 1 || (major === 1 && minor < 26))
    throw new Error(`Go ${version} is too old. ${why} Install Go 1.26 or newer from https://go.dev/dl/.`);
  return version;
}

function recipe(name) {
  const module = FOLDERS.map((folder) => join(LAB, folder, name)).find(existsSync) ?? join(LAB, 'wrap', name);
  const files = ['go.mod', 'go.sum', 'main.go'].map((file) => join(module, file)).filter(existsSync);
  const text = readFileSync(join(module, 'go.mod'), 'utf8');
  const main = /^tool (\S+)$/m.exec(text)?.[1] ?? '.';
  const flags = ['-s', '-w'];
  const kubernetes = /k8s\.io\/kubernetes (v1\.(\d+)\.\d+)/.exec(text);
  if (name === 'kube-apiserver' && kubernetes) {
    flags.push(
      `-X ${VERSION_PACKAGE}.gitVersion=${kubernetes[1]}`,
      `-X ${VERSION_PACKAGE}.gitMajor=1`,
      `-X ${VERSION_PACKAGE}.gitMinor=${kubernetes[2]}`,
      `-X ${VERSION_PACKAGE}.gitTreeState=clean`,
    );
  }
  if (name === 'kustomize') flags.push('-X sigs.k8s.io/kustomize/api/provenance.version=v5.8.1');
  const key = createHash('sha256');
  for (const file of files) key.update(readFileSync(file)).update('\0');
  key.update(flags.join(' ')).update(`${process.platform}/${process.arch}`);
  return { module, main, flags: flags.join(' '), key: key.digest('hex').slice(0, 12) };
}

/** Path that the built tool has, or will have, in the cache. */
export function binaryPath(name, env = process.env) {
  return join(cacheDirectory(env), `${name}-${recipe(name).key}`, name);
}

/** Is the tool built, and as long as it was when it was built? */
export function isBuilt(name, env = process.env) {
  const path = binaryPath(name, env);
  if (!existsSync(path) || statSync(path).size === 0) return false;
  const noted = join(dirname(path), 'size');
  return !existsSync(noted) || Number(readFileSync(noted, 'utf8')) === statSync(path).size;
}

/** Seconds that a cold build of the tools takes on two cores, and GiB of disk that it needs meanwhile. */
export function buildEstimate(names) {
  const seconds = names.reduce((sum, name) => sum + (COLD_SECONDS[name] ?? 120), 0);
  return { seconds, gibibytes: Math.ceil(seconds / 100) };
}

/** First folder of PATH that holds an executable of this name, or undefined. */
export function onPath(name, env = process.env) {
  return (env.PATH ?? '').split(delimiter).find((folder) => folder && existsSync(join(folder, name)));
}

/**
 * Builds what is missing, one after the other, into a temporary folder that is renamed when complete:
 * an interrupted build leaves nothing half-written and Go's own cache lets the next one go on where it stopped.
 * Returns {name, path, seconds, built} for each. An aborted `signal` ends the build in hand and rejects with its reason.
 */
export async function ensureBinaries(names, { log = console.error, env = process.env, signal } = {}) {
  const missing = names.filter((name) => !isBuilt(name, env));
  if (missing.length > 0) {
    const go = requireGo(`It builds ${missing.join(', ')}.`);
    const { seconds } = buildEstimate(missing);
    log(
      `building ${missing.join(', ')} with ${go}: about ${Math.ceil(seconds / 60)} min on two cores when nothing is cached`,
    );
  }
  const results = [];
  for (const name of names) {
    const path = binaryPath(name, env);
    if (isBuilt(name, env)) {
      results.push({ name, path, seconds: 0, built: false });
      continue;
    }
    const started = Date.now();
    await build(name, path, env, signal);
    const seconds = Math.round((Date.now() - started) / 1000);
    log(`  ${name}: built in ${seconds} s, ${Math.round(statSync(path).size / 1e6)} MB`);
    results.push({ name, path, seconds, built: true });
  }
  return results;
}

async function build(name, path, env, signal) {
  signal?.throwIfAborted();
  const { module, main, flags } = recipe(name);
  const folder = dirname(path);
  const cache = dirname(folder);
  mkdirSync(cache, { recursive: true });
  for (const entry of readdirSync(cache)) {
    const match = new RegExp(`^${name}-[0-9a-f]{12}\\.building-(\\d+)$`).exec(entry);
    if (match && !isAlive(Number(match[1]))) rmSync(join(cache, entry), { recursive: true, force: true });
  }
  const staging = `${folder}.building-${process.pid}`;
  mkdirSync(staging, { recursive: true });
  const args = [
    'build',
    '-mod=readonly',
    '-trimpath',
    '-buildvcs=false',
    '-ldflags',
    flags,
    '-o',
    join(staging, name),
    main,
  ];
  const options = { cwd: module, env: { ...env, CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '' } };
  const { code, text } = await run('go', args, options, signal);
  if (code !== 0) {
    rmSync(staging, { recursive: true, force: true });
    signal?.throwIfAborted();
    if (/no space left on device/.test(text))
      throw new Error(
        `the disk is full while building ${name}: free some space (building all from nothing wants about 15 GB) and run again; it goes on where it stopped.`,
      );
    throw new Error(`building ${name} failed (go ${args.slice(0, 2).join(' ')}, exit ${code}):\n${text.slice(-2000)}`);
  }
  writeFileSync(join(staging, 'size'), String(statSync(join(staging, name)).size));
  rmSync(folder, { recursive: true, force: true });
  renameSync(staging, folder);
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function run(command, args, options, signal) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (data) => {
      text += data;
    });
    child.stderr.on('data', (data) => {
      text += data;
    });
    const abort = () => child.kill('SIGINT');
    signal?.addEventListener('abort', abort, { once: true });
    child.on('error', reject);
    child.on('exit', (code) => {
      signal?.removeEventListener('abort', abort);
      resolve({ code, text });
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await ensureBinaries(process.argv.slice(2));
}
