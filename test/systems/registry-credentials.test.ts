import { expect, test } from 'vitest';
import { secret } from '../../src/secret.ts';
import { dockerCredentials, isLoopback, registryCredentials } from '../../src/systems/registry-credentials.ts';

const auth = (text: string) => Buffer.from(text).toString('base64');

async function credentials(
  env: Record<string, string>,
  files: Record<string, string> = {},
  registry?: string,
  helper?: (name: string, host: string) => Promise<string | null>,
) {
  const found = await registryCredentials({
    secret: (name) => (env[name] === undefined ? undefined : secret(env[name])),
    variable: (name) => env[name],
    readFile: async (path) => files[path] ?? null,
    registry,
    ...(helper ? { helper } : {}),
  });
  return found.map(({ host, user, password }) => `${user}:${password.reveal()}@${host}`);
}

test('own credentials come before the job’s, and these before docker’s', async () => {
  const env = {
    SLUICE_REGISTRY_USER: 'own',
    SLUICE_REGISTRY_PASSWORD: 'p1',
    CI_REGISTRY: 'registry.example.com',
    CI_REGISTRY_USER: 'gitlab-ci-token',
    CI_REGISTRY_PASSWORD: 'p2',
    DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { 'https://other.example.com/v2/': { auth: auth('u:p:3') } } }),
    HOME: '/home/x',
  };
  expect(
    await credentials(
      env,
      { '/home/x/.docker/config.json': '{"auths":{"unused":{}}}' },
      'registry.example.com/shop/delivery',
    ),
  ).toEqual(['own:p1@registry.example.com', 'gitlab-ci-token:p2@registry.example.com', 'u:p:3@other.example.com']);
});

test('a docker configuration is found in its folder, then at home', async () => {
  const files = {
    '/cfg/config.json': JSON.stringify({ auths: { 'a.example.com:5000': { username: 'u', password: 'p' } } }),
    '/home/x/.docker/config.json': JSON.stringify({ auths: { 'docker.io': { auth: auth('h:q') } } }),
  };
  expect(await credentials({ DOCKER_CONFIG: '/cfg', HOME: '/home/x' }, files)).toEqual(['u:p@a.example.com:5000']);
  expect(await credentials({ HOME: '/home/x' }, files)).toEqual(['h:q@registry-1.docker.io']);
  expect(await credentials({})).toEqual([]);
});

test('what cannot be read gives nothing', () => {
  expect(dockerCredentials('{')).toEqual([]);
  expect(dockerCredentials('{"auths":{"a":{}},"credsStore":"x"}')).toEqual([]);
});

test.each([
  ['127.0.0.1:5000', true],
  ['localhost', true],
  ['[::1]:80', true],
  ['127.0.0.1.example.com', false],
  ['registry.example.com', false],
  ['10.0.0.1:5000', false],
])('%s is loopback: %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});

test('credential helpers are asked for their hosts, the store for the others', async () => {
  const text = JSON.stringify({
    auths: { 'https://plain.example.com': { auth: auth('u:p') }, 'stored.example.com': {} },
    credHelpers: { 'helped.example.com': 'gcr', 'token.example.com': 'gcr', 'odd.example.com': '../../bin/sh' },
    credsStore: 'desktop',
  });
  const asked: string[] = [];
  const helper = async (name: string, host: string) => {
    asked.push(`${name} ${host}`);
    if (host === 'own.example.com:5050') return null;
    const user = host === 'token.example.com' ? '<token>' : name;
    return JSON.stringify({ ServerURL: host, Username: user, Secret: `secret of ${host}` });
  };
  const env = { DOCKER_AUTH_CONFIG: text };
  expect(await credentials(env, {}, 'own.example.com:5050/shop/delivery', helper)).toEqual([
    'u:p@plain.example.com',
    'gcr:secret of helped.example.com@helped.example.com',
    'desktop:secret of stored.example.com@stored.example.com',
  ]);
  expect(asked).toEqual([
    'gcr helped.example.com',
    'gcr token.example.com',
    'desktop stored.example.com',
    'desktop own.example.com:5050',
  ]);
});
