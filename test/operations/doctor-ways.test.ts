import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startRegistry } from '../../sandbox/registry/server.ts';
import { doctorWorld, foundIn, settings, type DoctorWorld } from './doctor-world.ts';

let world: DoctorWorld;
beforeAll(async () => {
  world = await doctorWorld();
});
afterEach(() => world.restore());
afterAll(() => world[Symbol.asyncDispose]());

const expectFound = foundIn(() => world);

describe('the registry', () => {
  const args = ['--check', 'registry'];
  test('a wrong password', async () => {
    await expectFound(
      args,
      { id: 'registry-credential', exit: 7, message: /401/, repair: /./ },
      { CI_REGISTRY_PASSWORD: 'not-the-password' },
    );
  });
  test('a credential that only reads', async () => {
    await expectFound(
      args,
      { id: 'registry-push', exit: 7, message: /may pull here, and publish must push/, repair: /write_registry/ },
      { CI_REGISTRY_USER: world.pull.username, CI_REGISTRY_PASSWORD: world.pull.token },
    );
  });
  test('nobody answers', async () => {
    await expectFound(
      args,
      { id: 'registry-unreachable', exit: 6, message: /127\.0\.0\.1:1 cannot be reached/, repair: /--registry/ },
      { CI_REGISTRY_IMAGE: '127.0.0.1:1/shop/delivery', CI_REGISTRY: '127.0.0.1:1' },
    );
  });
  test('one that does not take Flux’s media types', async () => {
    const strict = await startRegistry({
      allowedMediaTypes: ['application/vnd.oci.image.manifest.v1+json', 'application/vnd.oci.image.config.v1+json'],
    });
    const registry = { CI_REGISTRY_IMAGE: `${strict.host}/shop/delivery`, CI_REGISTRY: strict.host };
    const before = await world.doctor(args, registry);
    expect(before.open.map(({ id, state }) => `${state} ${id}`)).toEqual(['unknown media-types']);
    await expectFound(
      [...args, '--probe'],
      { id: 'media-types', exit: 3, message: /does not take Flux’s media types/, repair: /vnd\.cncf\.flux\.config/ },
      registry,
    );
    await strict.stop();
  });
  test('a trial leaves nothing behind', async () => {
    const looked = await world.doctor([...args, '--probe']);
    expect(looked).toMatchObject({ exit: 0, outcome: 'ok' });
    expect(looked.text).toMatch(/a small artifact was pushed and removed/);
    expect([...world.registry.tags('shop/delivery/podinfo').keys()]).not.toContain('sluice-doctor');
  });
});

describe('the cleanup policy', () => {
  const args = ['--check', 'cleanup'];
  const policy = async (attributes: Readonly<Record<string, unknown>>) => {
    const answer = await fetch(`${world.gitlab.url}/api/v4/projects/shop%2Fdelivery`, {
      method: 'PUT',
      headers: { 'private-token': world.bot.token, 'content-type': 'application/json' },
      body: JSON.stringify({ container_expiration_policy_attributes: attributes }),
    });
    expect(answer.status).toBe(200);
  };
  test('removes what Flux follows', async () => {
    await policy({ enabled: true, name_regex: '.*', name_regex_keep: '', keep_n: 5, older_than: '30d' });
    await expectFound(args, {
      id: 'cleanup-removes',
      exit: 3,
      message: /removes the tags staging \(beyond the 5 newest, when older than 30d\)/,
      repair: /to: \(\?:staging\)\(\?:-\[0-9a-f\]\{12\}\)\?$/,
    });
  });
  test('the pattern of the repair heals it', async () => {
    await policy({ enabled: true, name_regex: '.*', name_regex_keep: 'release-.*' });
    const { repair } = (await world.doctor(args)).open[0]!;
    const keep = /to: (.*)$/.exec(repair ?? '')?.[1];
    expect(keep).toMatch(/^release-\.\*\|/);
    await policy({ name_regex_keep: keep });
    expect(await world.doctor(args)).toMatchObject({ exit: 0, outcome: 'ok' });
  });
  test('removes only the tags of former versions: to change, no fault', async () => {
    await policy({ enabled: true, name_regex: '.*-[0-9a-f]{12}', name_regex_keep: '' });
    const looked = await world.doctor(args);
    expect(looked).toMatchObject({ exit: 0, outcome: 'warn' });
    expect(looked.open).toMatchObject([{ id: 'cleanup-history' }]);
  });
  test('is off', async () => {
    await policy({ enabled: false });
    expect(await world.doctor(args)).toMatchObject({ exit: 0, outcome: 'ok' });
  });
});

describe('agents', () => {
  const args = ['--check', 'agent'];
  const without = { KUBECONFIG: '/nowhere' };
  test('not registered', async () => {
    await world.configure(settings.replace(':staging-eu"', ':staging-us"'));
    await expectFound(
      args,
      {
        id: 'agent-missing',
        exit: 7,
        message: /shop\/agents has no agent staging-us: it has staging-eu/,
        repair: /^Register it/,
      },
      without,
    );
  });
  test('offline', async () => {
    world.cluster.scripts.offline(true);
    await expectFound(args, {
      id: 'agent-offline',
      exit: 6,
      message: /agent staging-eu is not connected/,
      repair: /agentk/,
    });
  });
  test('not shared with this project', async () => {
    await expectFound(
      args,
      {
        id: 'agent-not-shared',
        exit: 7,
        message: /not shared with shop\/other: ci_access does not list it/,
        repair: /\.gitlab\/agents\/staging-eu\/config\.yaml.*id: shop\/other/,
      },
      { ...without, CI_PROJECT_PATH: 'shop/other' },
    );
  });
  test('shared for another environment', async () => {
    await expectFound(
      args,
      {
        id: 'agent-not-shared',
        exit: 7,
        message: /for the environments staging, not review/,
        repair: /add review to `environments`/,
      },
      { ...without, CI_ENVIRONMENT_NAME: 'review' },
    );
  });
  test('shared for protected branches only', async () => {
    await expectFound(
      args,
      {
        id: 'agent-not-shared',
        exit: 7,
        message: /for protected branches, and feature is not protected/,
        repair: /protect feature/,
      },
      { ...without, CI_COMMIT_REF_PROTECTED: 'false', CI_COMMIT_BRANCH: 'feature' },
    );
  });
  test('a job without environment', async () => {
    await expectFound(
      args,
      { id: 'agent-not-shared', exit: 7, message: /this job has none/, repair: /give the job its `environment:`/ },
      { ...without, CI_ENVIRONMENT_NAME: '' },
    );
  });
  test('shared, and yet no context', async () => {
    await expectFound(
      args,
      { id: 'agent-not-shared', exit: 7, message: /no context shop\/agents:staging-eu/, repair: /./ },
      without,
    );
  });
  test('a credential that the cluster refuses', async () => {
    world.cluster.removeToken(world.clusterToken);
    await expectFound(args, { id: 'context-refused', exit: 7, message: /refused the credential/, repair: /./ });
    world.cluster.addToken(world.clusterToken, 'gitlab:ci_job:42', ['gitlab:ci_job', 'system:authenticated']);
  });
});
