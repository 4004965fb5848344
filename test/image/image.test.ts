import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GitLabServer } from '../../sandbox/gitlab/handle.ts';
import { startGitLab } from '../../sandbox/gitlab/server.ts';
import { gitlabRegistry } from '../../sandbox/registry/gitlab-auth.ts';
import { startRegistry, type RegistryServer } from '../../sandbox/registry/server.ts';
import { application, claim, delivery, manifests, settings } from '../story/job-files.ts';
import { mustRun, openBuildah, type Buildah, type Ended } from './buildah.ts';
import { defaultOf, makeProgramImage, makeStandIns, npmMounts } from './stand-ins.ts';

const root = join(import.meta.dirname, '..', '..');
const git = promisify(execFile);
const megabyte = 1_000_000;

let folder: string;
let buildah: Buildah;
let container: string;
let gitlab: GitLabServer;
let registry: RegistryServer;
let host: string;
let token: string;
let push: { readonly username: string; readonly token: string };
let origin: string;
/** GitLab's own repository of the delivery project. */
let bare: string;
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-image-'));
  stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  await chmod(folder, 0o755);
  buildah = openBuildah(folder);
  await makeStandIns(buildah, folder);
  await buildah(
    'build',
    '--isolation',
    'chroot',
    '--pull=never',
    '--build-arg',
    'VERSION=1.2.3',
    ...(await npmMounts(folder)),
    '--tag',
    'localhost/sluice:test',
    root,
  );
  container = await buildah('from', '--pull=never', 'localhost/sluice:test');
  const PATH = [join(root, 'node_modules', '.bin'), process.env['PATH']].join(delimiter);
  gitlab = await startGitLab({ folder: join(folder, 'gitlab'), env: { PATH } });
  stack.defer(() => gitlab.stop());
  registry = await startRegistry(gitlabRegistry(gitlab.registryAuth));
  stack.defer(() => registry.stop());
  host = registry.host.replace('127.0.0.1', 'localhost');
  bare = join(folder, 'gitlab', 'repositories', `${gitlab.createProject(delivery).id}.git`);
  gitlab.createProject(application);
  push = gitlab.createDeployToken(delivery, { name: 'publish', scopes: ['read_registry', 'write_registry'] });
  ({ token } = gitlab.createToken('shop', { name: 'sluice', scopes: ['api', 'write_repository'], accessLevel: 40 }));
  origin = await gitlab.seed(application, new Map([['main.go', 'x\n']]), 'Release', { pipeline: false });
}, 900_000);
afterAll(() => stack.disposeAsync(), 120_000);

interface Inside {
  readonly user?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The host's folder that is the working directory, and whether it can be written. */
  readonly work?: string;
  readonly writable?: boolean;
}

/** Runs a shell line in the image: GitLab's runner overrides the entry point with a shell, umask 0000, here without HOME. */
function inside(line: string, { user = '1000:1000', env = {}, work, writable = false }: Inside = {}): Promise<Ended> {
  return buildah.attempt(
    'run',
    '--isolation',
    'chroot',
    '--user',
    user,
    ...Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
    ...(work === undefined ? [] : ['--volume', `${work}:/builds/shop:${writable ? 'rw' : 'ro'}`]),
    ...(work === undefined ? [] : ['--workingdir', '/builds/shop']),
    container,
    '--',
    'sh',
    '-c',
    `umask 0000; unset HOME; ${line}`,
  );
}

async function checkout(tag: string): Promise<{ readonly work: string; readonly sha: string }> {
  const files = { 'sluice.yaml': settings, ...manifests(host, tag) };
  const sha = await gitlab.seed(delivery, new Map(Object.entries(files)), claim(origin, tag), { pipeline: false });
  const work = join(folder, `checkout-${tag}`);
  await git('git', ['clone', '--quiet', '--no-hardlinks', bare, work]);
  await mustRun('chmod', '-R', 'a+rwX', work);
  return { work, sha };
}

function job(sha: string): Readonly<Record<string, string>> {
  return {
    GITLAB_CI: 'true',
    CI: 'true',
    CI_SERVER_URL: gitlab.url,
    CI_SERVER_HOST: '127.0.0.1',
    CI_API_V4_URL: `${gitlab.url}/api/v4`,
    CI_PROJECT_PATH: delivery,
    CI_COMMIT_SHA: sha,
    CI_COMMIT_REF_NAME: 'main',
    CI_COMMIT_BRANCH: 'main',
    CI_DEFAULT_BRANCH: 'main',
    CI_REGISTRY: host,
    CI_REGISTRY_IMAGE: `${host}/${delivery}`,
    CI_REGISTRY_USER: push.username,
    CI_REGISTRY_PASSWORD: push.token,
    SLUICE_GITLAB_TOKEN: token,
  };
}

test('the image is at most 160 MB larger than its base', async () => {
  const base = await buildah('from', '--pull=never', await defaultOf('NODE_IMAGE'));
  const size = async (name: string) =>
    Number((await mustRun('du', '--summarize', '--bytes', await buildah('mount', name))).split(/\s/)[0]);
  const above = (await size(container)) - (await size(base));
  process.stdout.write(`image: ${(above / megabyte).toFixed(1)} MB above its base\n`);
  expect(above).toBeGreaterThan(10 * megabyte);
  expect(above).toBeLessThanOrEqual(160 * megabyte);
});

test('its settings: a user that is not root, no entry point, labels with the version', async () => {
  const { OCIv1 } = JSON.parse(await buildah('inspect', '--type', 'image', 'localhost/sluice:test')) as {
    OCIv1: { config: { User: string; Entrypoint?: readonly string[]; Labels: Readonly<Record<string, string>> } };
  };
  expect(OCIv1.config.User).toBe('1000:1000');
  expect(OCIv1.config.Entrypoint ?? []).toEqual([]);
  expect(OCIv1.config.Labels).toMatchObject({
    'org.opencontainers.image.title': 'sluice',
    'org.opencontainers.image.version': '1.2.3',
    'org.opencontainers.image.licenses': 'Apache-2.0',
  });
});

test('what is in it is listed: npm packages, Debian packages and tools, in one CycloneDX document, with licences', async () => {
  const { stdout } = await inside('cat /usr/local/lib/sluice/sbom.cdx.json');
  const document = JSON.parse(stdout) as {
    readonly bomFormat: string;
    readonly specVersion: string;
    readonly metadata: { readonly component: { readonly version: string } };
    readonly components: readonly { readonly name: string; readonly version?: string; readonly purl: string }[];
  };
  expect(document).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.5' });
  expect(document.metadata.component.version).toBe('1.2.3');
  const urls = document.components.map(({ purl }) => purl);
  for (const start of ['pkg:npm/sluice@', 'pkg:npm/zod@', 'pkg:npm/%40gitbeaker/rest@', 'pkg:github/nodejs/node@v26'])
    expect(urls.filter((url) => url.startsWith(start))).toHaveLength(1);
  const debian = (await inside("dpkg-query --show --showformat='${Package} ${Version}\\n'")).stdout.trim().split('\n');
  expect(debian.length).toBeGreaterThan(80);
  const listed = document.components.filter(({ purl }) => purl.startsWith('pkg:deb/debian/'));
  expect(listed.map(({ name, version }) => `${name} ${version}`).toSorted()).toEqual(debian.toSorted());
  expect(listed[0]!.purl).toMatch(/\?arch=\w+&distro=debian-12$/);
  for (const tool of ['oras', 'kustomize']) expect(document.components.map(({ name }) => name)).toContain(tool);
  const licences = (await inside('cat /usr/local/lib/sluice/THIRD-PARTY-LICENCES.txt')).stdout;
  for (const name of ['zod', 'commander', '@kubernetes/client-node'])
    expect(licences).toMatch(new RegExp(`^${name} \\d`, 'm'));
});

test('further tools come from the images that the build arguments name; an image without the tool fails the build', async () => {
  const images = {
    COSIGN_IMAGE: await makeProgramImage(buildah, folder, 'cosign', 'ko-app/cosign'),
    HELM_IMAGE: await makeProgramImage(buildah, folder, 'helm', 'usr/bin/helm'),
    KUBECONFORM_IMAGE: await makeProgramImage(buildah, folder, 'kubeconform', 'kubeconform'),
  };
  const build = (values: Readonly<Record<string, string>>, tag: string) =>
    buildah.attempt(
      'build',
      '--isolation',
      'chroot',
      '--pull=never',
      '--target',
      'tools',
      ...Object.entries(values).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
      '--tag',
      tag,
      root,
    );
  const { code, stderr } = await build(images, 'localhost/sluice:tools');
  expect(code, stderr).toBe(0);
  const tools = await buildah('from', '--pull=never', 'localhost/sluice:tools');
  const line = 'for tool in cosign helm kubeconform; do "/tools/$tool"; done';
  expect(await buildah('run', '--isolation', 'chroot', tools, '--', 'sh', '-c', line)).toBe(
    'this is cosign\nthis is helm\nthis is kubeconform',
  );
  const wrong = await build({ HELM_IMAGE: images.COSIGN_IMAGE }, 'localhost/sluice:wrong');
  expect(wrong.code).not.toBe(0);
  expect(wrong.stderr + wrong.stdout).toContain(`${images.COSIGN_IMAGE} holds no helm`);
}, 300_000);

test('what the build needed of this machine is not in it', async () => {
  const { stdout } = await inside(
    'test ! -e /build && find /root/.npmrc /root/.npm /run/build-certificates.crt -type f -size +0; echo looked',
    { user: '0:0' },
  );
  expect(stdout).toBe('looked\n');
});

describe.each([
  ['user 1000', '1000:1000', 1],
  ['root', '0:0', 2],
])('as %s, umask 0000, no HOME', (_name, user, number) => {
  test('help names the commands; git, oras and kustomize are there', async () => {
    const { code, stdout, stderr } = await inside(
      'sluice --help && git --version && oras version && kustomize version && test -s /etc/ssl/certs/ca-certificates.crt && test -s /usr/local/lib/sluice/THIRD-PARTY-LICENCES.txt',
      { user },
    );
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/publish[\s\S]*git version 2[\s\S]*Version:\s+1\.[\s\S]*v5\./);
  });

  test('what a command loads was compiled when the image was built', async () => {
    const env = { NODE_DEBUG_NATIVE: 'COMPILE_CACHE' };
    const { stdout, stderr } = await inside('sluice schema sluice.yaml', { user, env });
    const told = `${stdout}${stderr}`;
    expect(told).toMatch(/was accepted/);
    expect(told).not.toMatch(/was rejected|Creating temporary file/i);
  });

  test('edit changes the value and nothing else', async () => {
    const { work } = await checkout(`edit-${user.replace(':', '-')}`);
    const file = 'apps/podinfo/staging/kustomization.yaml';
    const { code, stderr } = await inside(`sluice edit --image podinfo=:7.0.0 ${file}`, { user, work, writable: true });
    expect(stderr).not.toContain('error');
    expect(code).toBe(0);
    const { stdout } = await git('git', ['diff', '--numstat'], { cwd: work });
    expect(stdout).toBe(`1\t1\t${file}\n`);
  });

  test('publish pushes from a work tree that cannot be written', async () => {
    const { work, sha } = await checkout(`publish-${user.replace(':', '-')}`);
    const before = registry.tags(`${delivery}/podinfo`).get('staging');
    const run = await inside('sluice publish --environment staging --format json', { user, work, env: job(sha) });
    expect(run.stderr).not.toContain(push.token);
    expect(run.code, run.stderr).toBe(0);
    expect(JSON.parse(run.stdout)).toMatchObject({ command: 'publish', commit: sha });
    const after = registry.tags(`${delivery}/podinfo`).get('staging');
    expect(after).toMatch(/^sha256:/);
    expect(after).not.toBe(before);
    expect((await git('git', ['status', '--porcelain', '--ignored'], { cwd: work })).stdout).toBe('');
  });

  test('doctor finds tools, configuration, token, branch and registry in order, from a work tree that cannot be written', async () => {
    const { work, sha } = await checkout(`doctor-${user.replace(':', '-')}`);
    const checks = ['tools', 'config', 'token', 'branch', 'registry'].map((name) => `--check ${name}`).join(' ');
    const run = await inside(`sluice doctor --format json ${checks} --environment staging`, {
      user,
      work,
      env: job(sha),
    });
    expect(run.code, `${run.stdout}\n${run.stderr}`).toBe(0);
    const document = JSON.parse(run.stdout) as {
      readonly findings: readonly { readonly check: string; readonly state: string }[];
    };
    expect(new Set(document.findings.map(({ check }) => check))).toEqual(
      new Set(['tools', 'config', 'token', 'branch', 'registry']),
    );
    expect(document.findings.filter(({ state }) => state === 'fault')).toEqual([]);
  });

  test('update pushes a commit to the delivery repository', async () => {
    const { sha } = await checkout(`update-${user.replace(':', '-')}`);
    const run = await inside(
      `sluice update --format json --app podinfo --environment staging --image podinfo=:8.${number}.0 --no-verify-image`,
      {
        user,
        env: {
          ...job(origin),
          CI_PROJECT_PATH: application,
          SLUICE_DELIVERY: delivery,
          CI_PIPELINE_ID: String(number),
        },
      },
    );
    expect(run.code, run.stderr).toBe(0);
    const { stdout } = await git('git', ['log', '--format=%P%n%s', '-1', 'main'], { cwd: bare });
    expect(stdout).toBe(`${sha}\ndeploy(staging): podinfo 8.${number}.0\n`);
  });
});
