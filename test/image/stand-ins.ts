import { cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { binaryPath, onPath } from '../../scripts/binaries.mjs';
import { mustRun, type Buildah } from './buildah.ts';

const root = join(import.meta.dirname, '..', '..');

/** Default of an ARG of the Dockerfile. */
export async function defaultOf(argument: string): Promise<string> {
  const text = await readFile(join(root, 'Dockerfile'), 'utf8');
  const [, value] = new RegExp(`^ARG ${argument}=(.+)$`, 'm').exec(text) ?? [];
  if (value === undefined) throw new Error(`the Dockerfile has no ARG ${argument}`);
  return value;
}

/** How Debian's slim images keep out what nobody reads (github.com/debuerreotype/debuerreotype, scripts `docker`, `slimify`). */
const slim = {
  'etc/apt/apt.conf.d/docker-clean': [
    'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };',
    'Dir::Cache::pkgcache "";',
    'Dir::Cache::srcpkgcache "";',
  ],
  'etc/dpkg/dpkg.cfg.d/docker': [
    'path-exclude /usr/share/doc/*',
    'path-include /usr/share/doc/*/copyright',
    'path-exclude /usr/share/info/*',
    'path-exclude /usr/share/locale/*',
    'path-exclude /usr/share/man/*',
  ],
};

/**
 * Makes images under the names of the Dockerfile's bases: Debian bookworm with the project's own Node and npm, as
 * `node:…-slim` has them, and the tools at the places where their official images hold them.
 */
export async function makeStandIns(buildah: Buildah, folder: string): Promise<void> {
  const base = join(folder, 'base');
  await mustRun('debootstrap', '--variant=minbase', '--include=libatomic1,libstdc++6', 'bookworm', base);
  for (const left of ['var/cache/apt', 'var/lib/apt/lists', 'debootstrap', 'var/log'])
    await rm(join(base, left), { recursive: true, force: true });
  for (const needed of ['var/cache/apt/archives/partial', 'var/lib/apt/lists/partial', 'var/log/apt'])
    await mkdir(join(base, needed), { recursive: true });
  for (const [file, lines] of Object.entries(slim)) await writeFile(join(base, file), `${lines.join('\n')}\n`);
  await mustRun('chroot', base, 'useradd', '--uid', '1000', '--create-home', '--shell', '/bin/bash', 'node');
  await cp(join(root, 'node_modules', 'node', 'bin', 'node'), join(base, 'usr/local/bin/node'), { dereference: true });
  const npm = onPath('npm');
  if (npm === undefined) throw new Error('npm is not on the PATH');
  const modules = 'usr/local/lib/node_modules';
  await cp(dirname(dirname(realpathSync(join(npm, 'npm')))), join(base, modules, 'npm'), { recursive: true });
  await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(base, 'usr/local/bin/npm'));
  await commit(buildah, await defaultOf('NODE_IMAGE'), base);
  await rm(base, { recursive: true, force: true, maxRetries: 5 });
  const tools = [
    ['oras', 'ORAS_IMAGE', 'bin'],
    ['kustomize', 'KUSTOMIZE_IMAGE', 'app'],
  ] as const;
  for (const [name, argument, place] of tools) {
    const found = onPath(name);
    const tree = join(folder, name);
    await cp(found === undefined ? binaryPath(name) : join(found, name), join(tree, place, name), {
      dereference: true,
    });
    await commit(buildah, await defaultOf(argument), tree);
    await rm(tree, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** An image that holds one program, which says its name; answers the image's name. */
export async function makeProgramImage(buildah: Buildah, folder: string, name: string, place: string): Promise<string> {
  const tree = join(folder, `program-${name}`);
  await mkdir(join(tree, dirname(place)), { recursive: true });
  await writeFile(join(tree, place), `#!/bin/sh\necho this is ${name}\n`, { mode: 0o755 });
  await commit(buildah, `localhost/stand-in/${name}:1`, tree);
  await rm(tree, { recursive: true, force: true, maxRetries: 5 });
  return `localhost/stand-in/${name}:1`;
}

async function commit(buildah: Buildah, name: string, tree: string): Promise<void> {
  const container = await buildah('from', 'scratch');
  await buildah('copy', '--quiet', container, tree, '/');
  await buildah('config', '--env', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', container);
  await buildah('commit', '--quiet', '--rm', container, name);
}

/**
 * What `npm ci` inside the build needs of this machine, as mounts of the build alone: npm's settings and cache, and the
 * certificates of a proxy. Nothing of it stays in the image.
 */
export async function npmMounts(folder: string): Promise<readonly string[]> {
  const home = process.env['HOME'] ?? '/root';
  const certificates = process.env['NODE_EXTRA_CA_CERTS'] ?? process.env['SSL_CERT_FILE'];
  const settings = await readFile(join(home, '.npmrc'), 'utf8').catch(() => '');
  const npmrc = join(folder, 'npmrc');
  const mounted = '/run/build-certificates.crt';
  await writeFile(npmrc, certificates ? `${settings}\ncafile=${mounted}\n` : settings, { mode: 0o600 });
  const cache = join(home, '.npm');
  return [
    `${npmrc}:/root/.npmrc:ro`,
    ...(certificates ? [`${certificates}:${mounted}:ro`] : []),
    ...(existsSync(cache) ? [`${cache}:/root/.npm:rw`] : []),
  ].flatMap((mount) => ['--volume', mount]);
}
