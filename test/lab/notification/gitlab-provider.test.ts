import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasApplied, hasFailed } from '../flux-object.ts';
import { sampleApp } from '../sample-app.ts';
import { setStage } from '../stage.ts';
import { until } from '../until.ts';
import { startWebServer } from '../web-server.ts';

interface Status {
  readonly state: string;
  readonly name: string;
  readonly description: string;
}

describe('notification-controller’s gitlab Provider', () => {
  const stage = setStage({ tier: 'notification' });
  // Only the two requests it makes: list and create commit statuses.
  let gitlab: Awaited<ReturnType<typeof startWebServer>>;
  const posts = () => gitlab.received.filter(({ method }) => method === 'POST');
  const annotations = (sha: string) => ({
    'org.opencontainers.image.revision': `main@sha1:${sha}`,
    'org.opencontainers.image.source': 'https://gitlab.example.com/team/app.git',
  });

  beforeAll(async () => {
    const { scene } = stage();
    gitlab = await startWebServer(({ method, body }) =>
      method === 'POST' ? { status: 201, json: { id: 1, ...(JSON.parse(body) as object) } } : { json: [] },
    );
    await scene.secret('gitlab', { token: 'provider-token' });
    await scene.put('Provider', 'gitlab', {
      type: 'gitlab',
      address: `${gitlab.url}/team/sub/app`,
      secretRef: { name: 'gitlab' },
    });
    await scene.put('Alert', 'gitlab', {
      providerRef: { name: 'gitlab' },
      eventSeverity: 'info',
      eventSources: [{ kind: 'Kustomization', name: 'app' }],
    });
  });
  afterAll(() => gitlab?.stop());

  test('posts success on the commit of the revision annotation, under a name of its own', async () => {
    const { scene } = stage();
    const sha = 'a'.repeat(40);
    const { digest } = await scene.push('team/app', sampleApp({ namespace: 'demo' }), {
      annotations: annotations(sha),
    });
    await scene.put('OCIRepository', 'app', scene.ociSpec('team/app'));
    await scene.waitFor('OCIRepository', 'app', (object) => object.status?.artifact !== undefined);
    await scene.put('Kustomization', 'app', scene.kustomizationSpec('app'));
    await scene.waitFor('Kustomization', 'app', hasApplied(digest));
    const post = await until('the success status', () =>
      posts().find(({ body }) => (JSON.parse(body) as Status).state === 'success'),
    );
    const provider = await scene.get('Provider', 'gitlab');
    const status = JSON.parse(post.body) as Status;
    expect(post.url).toBe(`/api/v4/projects/team%2Fsub%2Fapp/statuses/${sha}`);
    expect(post.headers['private-token']).toBe('provider-token');
    // Ours begin with "sync: ", so both stand side by side on one commit.
    expect(status).toMatchObject({
      name: `kustomization/app/${provider.metadata.uid.split('-')[0]}`,
      description: 'reconciliation succeeded',
    });
  });

  test('posts failed when the workload does not come up', async () => {
    const { scene } = stage();
    const sha = 'b'.repeat(40);
    await scene.push('team/app', sampleApp({ namespace: 'demo', tag: '2.0.0-broken' }), {
      annotations: annotations(sha),
    });
    const failed = scene.waitFor('Kustomization', 'app', hasFailed('HealthCheckFailed'));
    await scene.poke('OCIRepository', 'app');
    await failed;
    const post = await until('the failed status', () =>
      posts().find(({ body, url }) => url.endsWith(sha) && (JSON.parse(body) as Status).state === 'failed'),
    );
    expect(JSON.parse(post.body)).toMatchObject({ description: 'health check failed' });
  });
});
