import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { beforeAll, describe, expect, test } from 'vitest';
import { sampleApp } from '../sample-app.ts';
import { setStage } from '../stage.ts';
import { connectVersions } from '../versions.ts';
import { connectWatcher } from '../watcher.ts';

const folder = join(import.meta.dirname, '..', '..', '..', 'examples', 'agent-config', 'rbac');

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

interface Role {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly rules?: readonly Rule[];
}

/** The example's roles without one resource (for reading, or for patching), under names of their own. */
function rolesWithout(resource: string, verb: string, label: string): string {
  const documents = ['sluice.yaml', 'bindings-ci-job.yaml'].flatMap((file) =>
    parseAllDocuments(readFileSync(join(folder, file), 'utf8')).map((document) => document.toJS() as Role),
  );
  const text = documents.map((role) =>
    stringify(
      role.rules === undefined
        ? role
        : {
            ...role,
            rules: role.rules
              .map((rule) =>
                rule.verbs.includes(verb)
                  ? { ...rule, resources: rule.resources.filter((one) => one !== resource) }
                  : rule,
              )
              .filter(({ resources }) => resources.length > 0),
          },
    ),
  );
  return text
    .join('\n---\n')
    .replaceAll(/\bsluice-(watch|notify|ask-consumers|receiver)\b/g, `${label}-$1`)
    .replaceAll('project_env:42:', `project_env:${label}:`);
}

describe('with less than the Role, what is missing is named and nothing is green that was not seen', () => {
  const stage = setStage({ tier: 'core' }, ['demo', 'seen']);
  let count = 100;
  const { push, stand } = connectVersions(stage, () => {
    throw new Error('each test has a watcher of its own');
  });
  beforeAll(async () => {
    await stand('seen', sampleApp({ namespace: 'seen' }), { wait: false });
  });

  async function watchWithout(resource: string, verb = 'list') {
    const project = String((count += 1));
    const limited = await connectWatcher(stage().stack, { role: rolesWithout(resource, verb, project), project });
    const ours = await push('seen', sampleApp({ namespace: 'seen', color: `c${count}` }));
    return limited.watch(limited.followed(ours), { patience: { unconsumed: 3_000 }, seconds: 12 });
  }

  test.each([
    ['ocirepositories', 'unknown', 'ocirepositories (source.toolkit.fluxcd.io)'],
    ['kustomizations', 'unknown', 'kustomizations (kustomize.toolkit.fluxcd.io)'],
    ['helmreleases', 'unknown', 'helmreleases (helm.toolkit.fluxcd.io)'],
    ['deployments', 'unknown', 'deployments (apps)'],
    ['pods', 'synced', ''],
    ['events', 'synced', ''],
  ])('no right to read %s: %s', async (resource, expected, says) => {
    const { verdict } = await watchWithout(resource);
    expect(verdict).toMatchObject({ verdict: expected, message: expect.stringContaining(says) });
  });

  test('no right to patch sources: nobody asks, and the green of before is not taken for ours', async () => {
    const { verdict } = await watchWithout('ocirepositories', 'patch');
    expect(verdict).toMatchObject({ verdict: 'timed-out' });
  });
});
