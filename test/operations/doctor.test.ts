import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { execFile } from 'node:child_process';
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:https';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { results } from '../../runner/output/results.ts';
import { binaryPath, onPath } from '../../scripts/binaries.mjs';
import { doctorWorld, foundIn, settings, type DoctorWorld } from './doctor-world.ts';

let world: DoctorWorld;
beforeAll(async () => {
  world = await doctorWorld();
});
afterEach(() => world.restore());
afterAll(() => world[Symbol.asyncDispose]());

const expectFound = foundIn(() => world);

/** A server on loopback that answers everything alike; stopped by disposal. */
async function serving(status: number, body: string): Promise<{ readonly url: string } & AsyncDisposable> {
  const server: Server = createServer((_, response) => {
    response.writeHead(status, { 'content-type': 'text/html' });
    response.end(body);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', () => resolve()));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}

describe('nothing configured, on a laptop', () => {
  const nothing = {
    CI: '',
    CI_JOB_ID: '',
    CI_SERVER_URL: '',
    CI_PROJECT_PATH: '',
    CI_COMMIT_BRANCH: '',
    CI_REGISTRY: '',
    CI_REGISTRY_IMAGE: '',
    CI_REGISTRY_USER: '',
    CI_REGISTRY_PASSWORD: '',
    CI_ENVIRONMENT_NAME: '',
    KUBECONFIG: '',
    SLUICE_GITLAB_TOKEN: '',
  };
  test('doctor says what it could not look at, and what to give', async () => {
    const looked = await world.doctor([], nothing);
    expect(looked).toMatchObject({ exit: 0, outcome: 'unknown' });
    expect(looked.open.map(({ check, id, repair }) => `${check} ${id}: ${repair}`)).toEqual([
      expect.stringMatching(/^token token-missing: Give SLUICE_GITLAB_TOKEN/),
      expect.stringMatching(/^projects project-token: Give SLUICE_GITLAB_TOKEN_PODINFO, or SLUICE_GITLAB_TOKEN/),
      expect.stringMatching(/^registry registry-unknown: Give --registry HOST\/PATH/),
      expect.stringMatching(/^agent agent-unknown: Run doctor in a job.*KUBECONFIG/),
    ]);
  });
  test('GitLab and project come from the remote of the checkout', async () => {
    const looked = await world.doctor(['--check', 'token', '--check', 'branch'], {
      ...nothing,
      SLUICE_GITLAB_TOKEN: world.bot.token,
    });
    expect(looked).toMatchObject({ exit: 0, outcome: 'ok' });
    expect(looked.text).toMatch(/shop\/delivery@main +is protected/);
  });
  test('in an empty folder', async () => {
    const looked = await world.doctorIn(join(world.folder, 'empty'), [], nothing);
    expect(looked).toMatchObject({ exit: 0, outcome: 'unknown' });
    expect(looked.open.map(({ id }) => id)).toEqual(['config-missing', 'gitlab-unknown', 'token-missing']);
    expect(looked.text).toMatch(/sluice init/);
  });
  test('outside a checkout, sluice.yaml is read from the delivery project', async () => {
    const env = { ...nothing, SLUICE_GITLAB_TOKEN: world.bot.token };
    const args = [
      '--gitlab',
      world.gitlab.url,
      '--delivery',
      'shop/delivery',
      '--check',
      'config',
      '--check',
      'projects',
    ];
    const looked = await world.doctorIn(join(world.folder, 'elsewhere'), args, env);
    expect(looked).toMatchObject({ exit: 0, outcome: 'ok' });
    expect(looked.text).toMatch(/shop\/delivery: sluice\.yaml +is valid: 1 environments, 1 apps/);
  });
  test('a check that was asked for says why it has nothing to tell', async () => {
    const args = ['--check', 'sources', '--check', 'cleanup'];
    const nowhere = await world.doctorIn(join(world.folder, 'empty'), args, nothing);
    expect(nowhere.open.map(({ check, id }) => `${check} ${id}`)).toEqual(['cleanup not-looked', 'sources not-looked']);
    const here = await world.doctor(['--check', 'cleanup'], nothing);
    expect(here.open.map(({ id, repair }) => `${id}: ${repair}`)).toEqual([
      'not-looked: Give SLUICE_GITLAB_TOKEN, and --gitlab URL outside a job.',
    ]);
    const unneeded = await world.doctor(['--check', 'receivers'], await world.asAdministrator());
    expect(unneeded.findings.map(({ id, state }) => `${state} ${id}`)).toEqual(['ok not-needed']);
  });
  test('a laptop with a token but no kubeconfig: the agent is there and shared', async () => {
    const looked = await world.doctor(['--check', 'agent'], { ...nothing, SLUICE_GITLAB_TOKEN: world.bot.token });
    expect(looked.findings.map(({ id }) => id)).toEqual(['agent-shared', 'agent-unreached']);
  });
});

describe('tools and settings', () => {
  test('a program that is missing', async () => {
    const bin = join(world.folder, 'bin-without-oras');
    await mkdir(bin);
    await symlink(join(onPath('git')!, 'git'), join(bin, 'git'));
    await symlink(binaryPath('kustomize'), join(bin, 'kustomize'));
    await expectFound(
      ['--check', 'tools'],
      { id: 'tool-missing', exit: 2, message: /oras is not installed: publish pushes/, repair: /Install ORAS/ },
      { PATH: bin },
    );
  });
  test('sluice.yaml with a fault', async () => {
    await world.configure('version: 1\nenvironments: { staging: {} }\napps: { podinfo: { pth: x } }\n');
    await expectFound(['--check', 'config'], {
      id: 'config-invalid',
      exit: 2,
      message: /sluice\.yaml:3:\d+.*pth/,
      repair: /Correct the places/,
    });
  });
});

describe('addresses that are none', () => {
  test('GitLab without a scheme, a registry with one', async () => {
    await expect(world.doctor([], { CI_SERVER_URL: 'gitlab.example.com' })).rejects.toMatchObject({ code: 'usage' });
    const registry = { CI_REGISTRY_IMAGE: 'https://registry.example.com/shop' };
    await expect(world.doctor([], registry)).rejects.toMatchObject({ code: 'usage' });
  });
  test('a repository that is no host and path', async () => {
    await world.configure(settings.replace('podinfo: {', 'podinfo: { repository: podinfo,'));
    await expectFound(['--check', 'registry'], {
      id: 'registry-name',
      exit: 2,
      message: /no HOST\/PATH/,
      repair: /Correct `repository`/,
    });
  });
});

describe('GitLab', () => {
  const args = ['--check', 'gitlab'];
  test('nobody answers', async () => {
    await expectFound(
      args,
      { id: 'gitlab-unreachable', exit: 6, message: /ECONNREFUSED/, repair: /Check address and port/ },
      { CI_SERVER_URL: 'http://127.0.0.1:2' },
    );
  });
  test('a name that is not known', async () => {
    await expectFound(
      args,
      { id: 'gitlab-unreachable', exit: 6, message: /no answer/, repair: /host name|address/ },
      { CI_SERVER_URL: 'http://gitlab.invalid' },
    );
  });
  test('a certificate that nobody here trusts', async () => {
    const made = promisify(execFile);
    const ec = [
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
    ];
    const at = world.folder;
    await made('openssl', ['req', '-x509', ...ec, '-keyout', 'own.key', '-out', 'own.pem'], { cwd: at });
    const [key, cert] = await Promise.all(['own.key', 'own.pem'].map((file) => readFile(join(at, file))));
    const server = createTlsServer({ key, cert }, (_, response) => void response.end());
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', () => resolve()));
    const url = `https://localhost:${(server.address() as AddressInfo).port}`;
    await expectFound(
      args,
      {
        id: 'gitlab-unreachable',
        exit: 6,
        message: /self-signed certificate/,
        repair: /^Name the CA .* SSL_CERT_FILE/,
      },
      { CI_SERVER_URL: url },
    );
    await new Promise<void>((resolve) => void server.close(() => resolve()));
  });
  test('something else answers', async () => {
    await using other = await serving(404, '<html>nginx</html>');
    await expectFound(
      args,
      {
        id: 'gitlab-other',
        exit: 6,
        message: /answered 404: this is not GitLab’s API/,
        repair: /address that GitLab’s own pages begin with/,
      },
      { CI_SERVER_URL: other.url },
    );
  });
});

test('the worst fault gives the exit code: credentials before remote systems before the cluster', async () => {
  const env = { SLUICE_GITLAB_TOKEN: '', CI_REGISTRY_IMAGE: '127.0.0.1:1/shop/delivery' };
  expect((await world.doctor(['--check', 'token', '--check', 'registry', '--check', 'sources'], env)).exit).toBe(7);
  expect((await world.doctor(['--check', 'registry', '--check', 'sources'], env)).exit).toBe(6);
  expect((await world.doctor(['--check', 'sources'], env)).exit).toBe(4);

  const { record } = await world.doctorRecord(['--check', 'token', '--check', 'sources'], env);
  expect(record['fault']).toMatchObject({
    code: 'token_missing',
    hint: expect.stringMatching(/^Store a project access token/),
  });
  results['doctor']!.parse({ command: 'doctor', durations: {}, ...record });
});
