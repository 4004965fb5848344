// Entry of every npm script. No dependencies, and no syntax beyond Node 20: it installs what is missing
// and then starts the task under the project's own Node.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { binaryPath, ensureBinaries, onPath } from './binaries.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const say = (text) => process.stderr.write(`${text}\n`);

/** What each task needs besides Node. */
const TASKS = {
  build: { packages: [], tools: [] },
  format: { packages: [], tools: [] },
  generate: { packages: [], tools: [] },
  release: { packages: ['git'], tools: [] },
  sluice: { packages: [], tools: [] },
  test: { packages: ['git', 'rsync', 'openssl', 'openssh-client', 'patch'], tools: ['oras', 'kustomize'] },
  long: { packages: ['git', 'rsync', 'patch'], tools: ['oras', 'kustomize'] },
  demo: { packages: ['git', 'rsync'], tools: ['oras', 'kustomize'] },
  page: { packages: ['git', 'rsync', 'chromium'], tools: ['oras', 'kustomize'] },
  image: { packages: ['git', 'rsync', 'buildah', 'debootstrap'], tools: ['oras', 'kustomize'] },
  bench: { packages: ['git', 'rsync'], tools: ['oras', 'kustomize', 'yq'] },
  lab: { packages: ['git', 'rsync'], tools: ['oras', 'kustomize'] },
};

/** Debian package → is it there? */
const PRESENT = {
  git: () =>
    existsSync(join(spawnSync('git', ['--exec-path'], { encoding: 'utf8' }).stdout?.trim() ?? '', 'git-http-backend')),
  rsync: () => onPath('rsync') !== undefined,
  openssl: () => onPath('openssl') !== undefined,
  'openssh-client': () => onPath('ssh-keygen') !== undefined,
  patch: () => onPath('patch') !== undefined,
  chromium: () => onPath('chromium') !== undefined,
  buildah: () => onPath('buildah') !== undefined,
  debootstrap: () => existsSync('/usr/sbin/debootstrap') || onPath('debootstrap') !== undefined,
};

function installModules() {
  const lock = readFileSync(join(ROOT, 'package-lock.json'));
  const wanted = createHash('sha256')
    .update(lock)
    .update(process.platform + process.arch)
    .digest('hex');
  const marker = join(ROOT, 'node_modules', '.sluice-installed');
  if (existsSync(marker) && readFileSync(marker, 'utf8') === wanted) return;
  say('installing npm packages (about half a minute) …');
  const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm'];
  const { status } = spawnSync(npm[0], [...npm.slice(1), 'ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: ROOT,
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0)
    throw new Error('npm ci failed; see above. Check the network and the npm registry, then run again.');
  const node = spawnSync(join(ROOT, 'node_modules', '.bin', 'node'), ['--version'], { encoding: 'utf8' });
  if (node.status !== 0)
    throw new Error(
      `the npm package "node" does not run here: ${node.error?.message ?? node.stderr}. On Debian: apt-get install libatomic1.`,
    );
  writeFileSync(marker, wanted);
}

function installPackages(names) {
  const missing = names.filter((name) => !PRESENT[name]());
  if (missing.length === 0) return;
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid?.() !== 0 || !onPath('apt-get'))
    throw new Error(`missing: ${missing.join(', ')}. Install with: sudo ${command}`);
  say(`installing Debian packages: ${missing.join(', ')} …`);
  const options = { stdio: ['ignore', 'ignore', 2], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  spawnSync('apt-get', ['update', '-qq'], options);
  const [program, ...args] = command.split(' ');
  if (spawnSync(program, [...args, '-qq'], options).status !== 0 || missing.some((name) => !PRESENT[name]()))
    throw new Error(`could not install ${missing.join(', ')}. Try: sudo ${command}`);
}

async function main() {
  const [task, ...args] = process.argv.slice(2);
  const needs = TASKS[task];
  if (!needs) throw new Error(`unknown task ${task}; known: ${Object.keys(TASKS).join(', ')}`);
  installModules();
  installPackages(needs.packages);
  const missing = needs.tools.filter((tool) => onPath(tool) === undefined);
  await ensureBinaries(missing, { log: say });
  const bin = join(ROOT, 'node_modules', '.bin');
  const path = [bin, ...missing.map((tool) => dirname(binaryPath(tool))), process.env.PATH].join(delimiter);
  const entry = task === 'sluice' ? join(ROOT, 'runner', 'main.ts') : join(ROOT, 'scripts', `${task}.ts`);
  const child = spawn(join(bin, 'node'), ['--disable-warning=ExperimentalWarning', entry, ...args], {
    stdio: 'inherit',
    env: { ...process.env, PATH: path },
  });
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  process.on('SIGINT', () => {});
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 143);
  });
}

main().catch((error) => {
  say(`error: ${error.message}`);
  process.exitCode = 2;
});
