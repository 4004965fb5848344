import { existsSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { parseConfig } from '../src/config/parse.ts';
import { agentFaults } from './docs/agent.ts';

/** What examples/ promises, as far as it can be seen without playing it; the stories play it. */

const examples = join(import.meta.dirname, '..', 'examples');
const read = (file: string) => readFile(join(examples, file), 'utf8');
const objects = async (file: string) =>
  parseAllDocuments(await read(file)).flatMap((document) => {
    const object = document.toJS() as Manifest | null;
    return object === null ? [] : [object];
  });

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly rules?: readonly { readonly apiGroups: string[]; readonly resources: string[]; readonly verbs: string[] }[];
  readonly roleRef?: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly Readonly<Record<string, string>>[];
}

/** Lines of each include of a component, with the line `include:` of the first. */
function includes(text: string): readonly { readonly component: string; readonly lines: number }[] {
  const parts = text.split(/^ {2}- component: /m).slice(1);
  return parts.map((part) => {
    const lines = part.split('\n');
    const end = lines.findIndex((line, index) => index > 0 && !/^ {4}\S/.test(line) && !/^ {6}/.test(line));
    return { component: lines[0]!.replace(/^.*\/([a-z]+)@.*$/, '$1'), lines: end < 0 ? lines.length : end };
  });
}

test('an application repository needs at most 8 lines, a delivery repository at most 6 per environment', async () => {
  const [app] = includes(await read('app/.gitlab-ci.yml'));
  expect(app).toMatchObject({ component: 'update' });
  expect(1 + app!.lines).toBeLessThanOrEqual(8);
  for (const file of ['delivery/.gitlab-ci.yml', 'delivery-git/.gitlab-ci.yml']) {
    const delivers = includes(await read(file)).filter(({ component }) => component === 'deliver');
    const config = parseConfig(await read(file.replace('.gitlab-ci.yml', 'sluice.yaml')), 'sluice.yaml');
    expect(delivers).toHaveLength(config.environments.length);
    for (const { lines } of delivers) expect(1 + lines).toBeLessThanOrEqual(6);
  }
});

describe('the delivery repository', async () => {
  const config = parseConfig(await read('delivery/sluice.yaml'), 'sluice.yaml');

  test('has two environments and three apps: an overlay, a setter marker, a HelmRelease', async () => {
    expect(config.environments.map(({ name }) => name)).toEqual(['staging', 'production']);
    expect(config.apps.map(({ name }) => name)).toEqual(['podinfo', 'checkout', 'greeter']);
    for (const { name } of config.environments) {
      expect(await read(`delivery/apps/podinfo/${name}/kustomization.yaml`)).toMatch(/^images:\n(.*\n)*.*newTag: /m);
      expect(await read(`delivery/apps/checkout/${name}/image.yaml`)).toMatch(/# \{"\$imagepolicy": "[a-z:-]+"\}/);
      expect((await objects(`delivery/apps/greeter/${name}/release.yaml`)).map(({ kind }) => kind)).toEqual([
        'HelmRelease',
      ]);
    }
  });

  test.each(config.environments.flatMap(({ name }) => config.apps.map((app) => [name, app.name])))(
    'clusters/%s holds the Flux objects of %s: they follow its tag, and its folder is there',
    async (environment, app) => {
      const found = await objects(`delivery/clusters/${environment}/${app}.yaml`);
      const source = found.find(({ kind, metadata }) => kind === 'OCIRepository' && metadata.name === app)!;
      expect(source.spec).toMatchObject({
        url: `oci://registry.example.com/shop/delivery/${app}`,
        ref: { tag: environment },
        interval: '10m',
        secretRef: { name: 'delivery-registry' },
      });
      const { spec } = found.find(({ kind }) => kind === 'Kustomization')!;
      expect(spec).toMatchObject({ sourceRef: { kind: 'OCIRepository', name: app }, wait: true, prune: true });
      expect(existsSync(join(examples, 'delivery', String(spec['path'])))).toBe(true);
    },
  );

  test('the chart that a release names is pushed by the repository’s own job', async () => {
    const found = await objects('delivery/clusters/staging/greeter.yaml');
    const chart = found.find(({ metadata }) => metadata.name === 'greeter-chart')!;
    expect(chart.spec['url']).toBe('oci://registry.example.com/shop/delivery/charts/greeter');
    const [release] = await objects('delivery/apps/greeter/staging/release.yaml');
    expect(release!.spec['chartRef']).toEqual({ kind: 'OCIRepository', name: 'greeter-chart' });
    expect(await read('delivery/.gitlab-ci.yml')).toContain('sh charts/publish.sh');
  });

  test('its form offers the apps and environments of sluice.yaml', async () => {
    const [header] = parseAllDocuments(await read('delivery/.gitlab-ci.yml'));
    const { inputs } = (header!.toJS() as { spec: { inputs: Record<string, { options: string[] }> } }).spec;
    expect(inputs['app']!.options).toEqual(['', ...config.apps.map(({ name }) => name)]);
    expect(inputs['environment']!.options).toEqual(config.environments.map(({ name }) => name));
  });
});

describe('the agents’ configuration', async () => {
  const roles = await objects('agent-config/rbac/sluice.yaml');

  test.each([
    ['staging-eu', 'staging'],
    ['prod-eu', 'production'],
  ])('%s serves jobs of its environment on protected branches alone', async (name, environment) => {
    const config = parse(await read(`agent-config/.gitlab/agents/${name}/config.yaml`)) as Record<string, unknown>;
    expect(agentFaults(config)).toEqual([]);
    expect(config).toMatchObject({
      ci_access: { projects: [{ environments: [environment], protected_branches_only: true }] },
      user_access: { projects: [{ id: 'shop/delivery' }] },
      flux: { webhook_receiver_url: expect.stringMatching(/^http:\/\/webhook-receiver\.flux-system\./) },
    });
  });

  test('the roles name every right: no wildcard, no Secret, nothing written but the request to look', () => {
    const rules = roles.flatMap((role) => role.rules ?? []);
    expect(rules.length).toBeGreaterThan(5);
    for (const { apiGroups, resources, verbs } of rules) {
      expect([...apiGroups, ...resources, ...verbs]).not.toContain('*');
      expect(resources).not.toContain('secrets');
      const flux = apiGroups.every((group) => group.endsWith('.toolkit.fluxcd.io'));
      const proxy = resources.join() === 'services/proxy';
      expect(verbs.filter((verb) => !['get', 'list', 'watch'].includes(verb))).toEqual(
        proxy ? ['create'] : flux && verbs.includes('patch') ? ['patch'] : [],
      );
    }
  });

  test.each([
    ['bindings-ci-job.yaml', { kind: 'Group', name: 'gitlab:project_env:42:staging' }],
    ['bindings-agent.yaml', { kind: 'ServiceAccount', name: 'staging-eu-gitlab-agent' }],
  ])('%s binds these roles and no others', async (file, subject) => {
    const names = roles.map(({ metadata }) => metadata.name);
    const bindings = await objects(`agent-config/rbac/${file}`);
    expect(bindings.length).toBeGreaterThan(1);
    for (const { roleRef, subjects } of bindings) {
      expect(names).toContain(roleRef!.name);
      expect(subjects).toEqual([expect.objectContaining(subject)]);
    }
  });

  test('on Free the agent has no right but these: its chart binds none, and its account is the bound one', async () => {
    expect(parse(await read('agent-config/rbac/agent-values.yaml'))).toEqual({
      rbac: { create: false },
      serviceAccount: { create: true, name: 'staging-eu-gitlab-agent' },
    });
  });
});

test('every credential that an example names is in the table of tokens', async () => {
  const table = await read('README.md');
  const used = new Set<string>();
  for await (const file of glob('**/*.{md,yml,yaml,sh}', { cwd: examples }))
    for (const [name] of (await read(file)).matchAll(/\bSLUICE_[A-Z_]*(TOKEN|KEY|PASSWORD)\b|\bTRIGGER_TOKEN\b/g))
      used.add(name.replace(/^TRIGGER/, 'SLUICE_TRIGGER').replace(/TOKEN_(PODINFO|CHECKOUT)$/, 'TOKEN_<APP>'));
  expect(used.size).toBeGreaterThan(3);
  for (const name of used) expect(table).toContain(`\`${name}`);
});
