import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { GitLabEvent } from '../../sandbox/gitlab/handle.ts';
import { connectAgents, paths, readExample } from '../../sandbox/seed.ts';
import { ensureBuilt } from './cli.ts';
import { openWorld } from './parts.ts';

test('the example that Flux reads itself: an overlay and a HelmRelease become healthy, and nothing is published', async () => {
  await ensureBuilt();
  await using world = await openWorld({ clusters: ['staging-eu'] });
  const { gitlab, registry, clusters, root } = world;
  const events: GitLabEvent[] = [];
  gitlab.on((event) => void events.push(event));
  const project = gitlab.createProject(paths.delivery);
  gitlab.createProject(paths.app);
  const bot = gitlab.createToken(paths.delivery, { name: 'sluice', scopes: ['api'], accessLevel: 40 });
  const appBot = gitlab.createToken(paths.app, { name: 'sluice', scopes: ['api'], accessLevel: 40 });
  const hidden = { masked: true, protected: true };
  gitlab.setVariable(paths.delivery, { key: 'SLUICE_GITLAB_TOKEN', value: bot.token, ...hidden });
  gitlab.setVariable(paths.delivery, { key: 'SLUICE_GITLAB_TOKEN_PODINFO', value: appBot.token, ...hidden });
  const agents = await readExample(join(root, 'examples', 'agent-config'), registry.host);
  await connectAgents(world, agents, project.id, () => 'staging');
  const { username, token } = gitlab.createDeployToken(paths.delivery, { name: 'flux', scopes: ['read_repository'] });
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'delivery-git', namespace: 'flux-system' },
    stringData: { username, password: token },
  };
  await clusters['staging-eu']!.apply(JSON.stringify(secret));
  const files = await readExample(join(root, 'examples', 'delivery-git'), registry.host);
  const sha = await gitlab.seed(paths.delivery, files, 'Describe staging');
  const [podinfo, greeter] = ['podinfo', 'greeter'].map((app) =>
    Buffer.from(files.get(`clusters/staging/${app}.yaml`)!).toString(),
  );
  const address = 'https://gitlab.example.com/shop/delivery-git.git';
  expect(podinfo).toContain(address);
  await clusters['staging-eu']!.apply(podinfo!.replace(address, `${gitlab.url}/${paths.delivery}.git`));
  await clusters['staging-eu']!.apply(greeter!);
  await gitlab.waitForPipelines();

  const jobs = events.flatMap((event) =>
    event.type === 'job' && event.exitCode !== null ? [`${event.name}: ${event.exitCode}`] : [],
  );
  const logs = events.flatMap((event) =>
    event.type === 'job' && event.status === 'failed' ? [gitlab.jobLog(event.project, event.id)] : [],
  );
  expect({ jobs, logs }).toEqual({ jobs: ['sluice publish staging: 0', 'sluice sync staging: 0'], logs: [] });
  for (const app of ['podinfo', 'greeter']) {
    const states = events.flatMap((event) =>
      event.type === 'status' && event.sha === sha && event.name === `sync: staging/${app}` ? [event.state] : [],
    );
    expect(states, app).toEqual(['pending', 'running', 'success']);
  }
  const deployments = await clusters['staging-eu']!.objects('Deployment', 'greeter');
  expect(JSON.stringify(deployments)).toContain('/shop/greeter:1.0.0');
  expect(await registry.tags(`${paths.delivery}/podinfo`)).toEqual([]);
});
