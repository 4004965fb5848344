import { createPublicKey, createVerify } from 'node:crypto';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startWorld } from './gitlab-fixture.ts';
import type { World } from './gitlab-fixture.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

let world: World;

beforeAll(async () => {
  world = await startWorld({ registry: { host: 'registry.example' } });
  world.gitlab.createProject('shop/delivery');
  world.gitlab.createProject('shop/open', { visibility: 'public' });
});
afterAll(async () => world.close());

async function tokenFor(credentials: readonly [string, string] | null, scope?: string) {
  const url = new URL(world.gitlab.registryAuth.realm);
  url.searchParams.set('service', world.gitlab.registryAuth.service);
  if (scope) url.searchParams.set('scope', scope);
  const headers = credentials
    ? { authorization: `Basic ${Buffer.from(credentials.join(':')).toString('base64')}` }
    : {};
  const answer = await fetch(url, { headers });
  const body = (await answer.json()) as { token?: string };
  return {
    status: answer.status,
    token: body.token ?? '',
    claims: body.token ? world.gitlab.registryAuth.verify(body.token) : null,
  };
}

const push = 'repository:shop/delivery/podinfo:pull,push';
const granted = (actions: readonly string[]) => [{ type: 'repository', name: 'shop/delivery/podinfo', actions }];

test('project tokens and deploy tokens get what their scopes allow', async () => {
  const { gitlab } = world;
  const writer = gitlab.createToken('shop/delivery', { name: 'w', scopes: ['write_registry'] });
  expect((await tokenFor([writer.username, writer.token], push)).claims?.access).toEqual(granted(['pull', 'push']));
  const reader = gitlab.createDeployToken('shop/delivery', { name: 'r', scopes: ['read_registry'] });
  expect((await tokenFor([reader.username, reader.token], push)).claims?.access).toEqual(granted(['pull']));
  expect((await tokenFor(['somebody', reader.token], push)).status).toBe(401);
  const narrow = gitlab.createToken('shop/delivery', { name: 'n', scopes: ['read_repository'] });
  expect((await tokenFor([narrow.username, narrow.token], push)).status).toBe(403);
  expect((await tokenFor(['x', 'glpat-wrong'], push)).status).toBe(401);
});

test('without credentials: public projects may be pulled', async () => {
  expect((await tokenFor(null, 'repository:shop/open/image:pull,push')).claims?.access).toEqual([
    { type: 'repository', name: 'shop/open/image', actions: ['pull'] },
  ]);
  expect((await tokenFor(null, push)).claims?.access).toEqual([]);
});

test('the signature can be checked with the published keys; others are not ours', async () => {
  const owner = world.gitlab.createToken('shop/delivery', { name: 'o', scopes: ['api'] });
  const { token } = await tokenFor([owner.username, owner.token], push);
  const [head = '', body = '', signature = ''] = token.split('.');
  const [key] = world.gitlab.registryAuth.jwks().keys;
  const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: string; alg: string };
  expect(header).toMatchObject({ alg: 'RS256', kid: key?.['kid'] });
  const genuine = createVerify('RSA-SHA256')
    .update(`${head}.${body}`)
    .verify(createPublicKey({ key: { ...key }, format: 'jwk' }), Buffer.from(signature, 'base64url'));
  expect(genuine).toBe(true);
  const forged = Buffer.from(
    JSON.stringify({ iss: 'gitlab-issuer', sub: '', exp: 9e9, access: granted(['push']) }),
  ).toString('base64url');
  expect(world.gitlab.registryAuth.verify(`${head}.${forged}.${signature}`)).toBeNull();
  expect(world.gitlab.registryAuth.verify('nonsense')).toBeNull();
});

test('a job pushes to its own project with its registry password', async () => {
  world.gitlab.createProject('shop/app');
  const ask = [
    'const { CI_REGISTRY_USER: user, CI_REGISTRY_PASSWORD: password, CI_SERVER_URL: server } = process.env;',
    'const headers = { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` };',
    'for (const repository of ["shop/app/a", "shop/delivery/podinfo"]) {',
    '  const scope = `scope=repository:${repository}:pull,push`;',
    '  const answer = await fetch(`${server}/jwt/auth?service=container_registry&${scope}`, { headers });',
    '  const { token } = await answer.json();',
    '  const { access } = token ? JSON.parse(Buffer.from(token.split(".")[1], "base64url")) : {};',
    '  console.log(repository, answer.status, JSON.stringify(access ?? null));',
    '}',
  ].join('\n');
  const yaml = 'job: { script: ["node ask.mjs", "echo image $CI_REGISTRY_IMAGE"] }\n';
  const files = { '.gitlab-ci.yml': yaml, 'ask.mjs': ask };
  await world.gitlab.seed('shop/app', new Map(Object.entries(files)), 'first');
  await world.gitlab.waitForPipelines();
  const job = world.events.findLast((event) => event.type === 'job');
  const log = world.gitlab.jobLog('shop/app', job?.type === 'job' ? job.id : 0);
  expect(log).toContain('shop/app/a 200 [{"type":"repository","name":"shop/app/a","actions":["pull","push"]}]');
  expect(log).toContain('shop/delivery/podinfo 403 null');
  expect(log).toContain('image registry.example/shop/app');
});

test('19.4: job tokens are JSON Web Tokens', async () => {
  const newer = await startWorld({ profile: '19.4' });
  newer.gitlab.createProject('g/p');
  await newer.gitlab.seed(
    'g/p',
    new Map([
      [
        '.gitlab-ci.yml',
        'job: { script: ["echo ${#CI_JOB_TOKEN} characters", "git ls-remote origin >/dev/null && echo reached"] }\n',
      ],
    ]),
    'first',
  );
  await newer.gitlab.waitForPipelines();
  const job = newer.events.findLast((event) => event.type === 'job');
  const log = newer.gitlab.jobLog('g/p', job?.type === 'job' ? job.id : 0);
  expect(Number(/(\d+) characters\n/.exec(log)?.[1])).toBeGreaterThan(400);
  expect(log).toContain('\nreached\n');
  await newer.close();
});
