import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { ProjectHandle } from './gitlab/handle.ts';
import type { World } from './world.ts';

/** Where the example projects live in the simulated GitLab. */
export const paths = {
  component: 'sluice/sluice',
  app: 'shop/podinfo',
  checkout: 'shop/checkout',
  delivery: 'shop/delivery',
  agents: 'shop/agents',
} as const;

/** Host that stands for the registry in examples/. */
const REGISTRY_IN_EXAMPLES = 'registry.example.com';

/** The projects, and every credential that was made (for leak searches). */
export interface Seeded {
  readonly app: ProjectHandle;
  readonly checkout: ProjectHandle;
  readonly delivery: ProjectHandle;
  readonly secrets: readonly string[];
}

/** Names of the clusters in examples/delivery/sluice.yaml, with the folder of their Flux objects. */
export const exampleClusters: Readonly<Record<string, string>> = {
  'staging-eu': 'clusters/staging',
  'prod-eu': 'clusters/production',
};

/** Creates the projects from examples/ with tokens, variables, agents and Flux objects, as people would set them up. */
export async function seedExamples(world: World): Promise<Seeded> {
  const { gitlab, registry, clusters, root } = world;
  const example = (name: string) => readExample(join(root, 'examples', name), registry.host);
  const projects = {
    app: gitlab.createProject(paths.app),
    checkout: gitlab.createProject(paths.checkout),
    delivery: gitlab.createProject(paths.delivery),
  };
  await connectAgents(
    world,
    await example('agent-config'),
    projects.delivery.id,
    (cluster) => exampleClusters[cluster]?.replace('clusters/', '') ?? '',
  );
  const bot = gitlab.createToken(paths.delivery, {
    name: 'sluice',
    scopes: ['api', 'write_repository'],
    accessLevel: 40,
  });
  const appBot = gitlab.createToken(paths.app, { name: 'sluice', scopes: ['api'], accessLevel: 40 });
  const checkoutBot = gitlab.createToken(paths.checkout, { name: 'sluice', scopes: ['api'], accessLevel: 40 });
  const hidden = { masked: true, protected: true };
  gitlab.setVariable(paths.delivery, { key: 'SLUICE_GITLAB_TOKEN', value: bot.token, ...hidden });
  gitlab.setVariable(paths.delivery, { key: 'SLUICE_GITLAB_TOKEN_PODINFO', value: appBot.token, ...hidden });
  gitlab.setVariable(paths.delivery, { key: 'SLUICE_GITLAB_TOKEN_CHECKOUT', value: checkoutBot.token, ...hidden });
  for (const app of [paths.app, paths.checkout]) {
    gitlab.setVariable(app, { key: 'SLUICE_GITLAB_TOKEN', value: bot.token, ...hidden });
    // Jobs of the delivery project look up the images of these.
    gitlab.configureProject(app, { jobTokenAllowlist: [paths.delivery] });
  }

  const pull = gitlab.createDeployToken(paths.delivery, { name: 'flux', scopes: ['read_registry', 'read_repository'] });
  const files = await example('delivery');
  for (const [name, cluster] of Object.entries(clusters)) {
    await cluster.apply(pullSecret(registry.host, pull));
    for (const [path, content] of files) {
      if (path.startsWith(`${exampleClusters[name]}/`) && path.endsWith('.yaml'))
        await cluster.apply(Buffer.from(content).toString());
    }
  }
  await gitlab.seed(paths.app, await example('app'), 'Start the application', { pipeline: false });
  await gitlab.seed(paths.checkout, new Map([['README.md', '# checkout\n']]), 'Start the application', {
    pipeline: false,
  });
  await gitlab.seed(paths.delivery, files, 'Describe staging and production');
  return {
    ...projects,
    secrets: [
      bot.token,
      appBot.token,
      checkoutBot.token,
      pull.token,
      ...Object.values(clusters).map((cluster) => cluster.agentToken),
    ],
  };
}

/** Shares the agents of all clusters with the delivery project and gives its jobs the least rights that sluice needs. */
export async function connectAgents(
  { gitlab, clusters, root }: World,
  files: ReadonlyMap<string, string | Uint8Array>,
  project: number,
  environmentOf: (cluster: string) => string,
): Promise<void> {
  gitlab.createProject(paths.agents);
  await gitlab.seed(paths.agents, files, 'Share the agents with the delivery project', { pipeline: false });
  const rbac = join(root, 'examples', 'agent-config', 'rbac');
  const role = await readFile(join(rbac, 'sluice.yaml'), 'utf8');
  const bindings = await readFile(join(rbac, 'bindings-ci-job.yaml'), 'utf8');
  for (const [name, cluster] of Object.entries(clusters)) {
    gitlab.registerAgent({
      configProject: paths.agents,
      name,
      cluster: { url: cluster.url, token: cluster.agentToken, ...(cluster.ca === undefined ? {} : { ca: cluster.ca }) },
    });
    await cluster.apply('apiVersion: v1\nkind: Namespace\nmetadata: { name: flux-system }\n');
    await cluster.apply(role);
    await cluster.apply(bindings.replaceAll(':42:staging', `:${project}:${environmentOf(name)}`));
  }
}

/** Files of a folder of examples/, with the world's registry in place of the examples'. */
export async function readExample(folder: string, registryHost: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
  return new Map(
    await Promise.all(
      files.map(async (file) => {
        const text = (await readFile(file, 'utf8')).replaceAll(REGISTRY_IN_EXAMPLES, registryHost);
        return [relative(folder, file), Buffer.from(text)] as const;
      }),
    ),
  );
}

/** The Secret that Flux pulls artifacts with, from a deploy token. */
export function pullSecret(
  host: string,
  { username, token }: { readonly username: string; readonly token: string },
  namespace = 'flux-system',
): string {
  const auth = Buffer.from(`${username}:${token}`).toString('base64');
  const auths = { [host]: { username, password: token, auth } };
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'delivery-registry', namespace },
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') },
  });
}
