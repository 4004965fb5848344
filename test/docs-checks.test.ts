import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { agentFaults } from './docs/agent.ts';
import { ciFaults } from './docs/ci.ts';
import { manifestFaults } from './docs/manifests.ts';
import { pictureFaults } from './docs/picture.ts';
import { shellFaults } from './docs/shell.ts';
import { localProject, type LocalProject } from './templates/local.ts';
import { readTemplates } from './templates/template.ts';

/** The checks of the pages find what is wrong: each is shown a good block, and the same with one mistake. */

describe('shell', () => {
  const good =
    'sluice edit apps --image podinfo=:6.7.1 --dry-run # see it\nnpm run demo -- --keep\ngit -C x.git push --tags y';
  test('good', () => expect(shellFaults(good)).toEqual([]));
  test.each([
    ['a flag that is not there', 'sluice edit apps --picture podinfo=:6.7.1', /unknown option '--picture'/],
    ['a command that is not there', 'sluice polish', /polish/],
    ['an argument that is missing', 'sluice edit --image podinfo=:6.7.1', /missing required argument/],
    ['a choice that is none', 'sluice update --mode fax', /"fax"|fax/],
    ['after a pipe and a variable', 'A=b sluice schema | sluice polish', /polish/],
    ['a script that is not there', 'npm run polish', /no such script/],
    ['git’s words', 'git polish', /git does not know/],
    ['another program', 'kubectl get pods', /cannot be checked/],
    ['no shell', 'if true; then', /syntax error/],
  ])('%s', (_what, text, fault) => expect(shellFaults(text).join('\n')).toMatch(fault));
});

describe('manifests', () => {
  const source = (spec: string) =>
    `apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: { name: a }\nspec: ${spec}\n`;
  test('good', () =>
    expect(manifestFaults(source('{ url: "oci://a/b", interval: 10m, ref: { tag: c } }'))).toEqual([]));
  test.each([
    ['a field that Flux does not know', source('{ url: "oci://a/b", interval: 10m, ref: { label: c } }'), /label/],
    ['a field that is missing', source('{ url: "oci://a/b" }'), /interval/],
    ['a value of another form', source('{ url: "https://a/b", interval: 10m }'), /pattern/],
    ['an unknown kind', 'apiVersion: v1\nkind: Gadget\nmetadata: { name: a }\n', /no known kind/],
    ['no YAML', 'a: [', /flow/i],
    [
      'a wildcard without labels',
      'apiVersion: notification.toolkit.fluxcd.io/v1\nkind: Receiver\nmetadata: { name: a }\nspec: { type: generic-hmac, secretRef: { name: a }, resources: [{ kind: OCIRepository, name: "*" }] }\n',
      /matchLabels/,
    ],
  ])('%s', (_what, text, fault) => expect(manifestFaults(text).join('\n')).toMatch(fault));
});

describe('pipelines', () => {
  let project: LocalProject;
  beforeAll(async () => {
    project = await localProject();
  });
  afterAll(() => project[Symbol.asyncDispose]());
  const include = (inputs: string, name = 'deliver', version = '1.0.0') =>
    `include:\n  - component: $CI_SERVER_FQDN/sluice/sluice/${name}@${version}\n    inputs: ${inputs}\n`;
  const faults = async (text: string) => (await ciFaults(text, await readTemplates(), '1.0.0', project)).join('\n');
  test('good', async () => expect(await faults(include('{ environment: staging }'))).toBe(''));
  test.each([
    ['an input that is not there', include('{ environment: staging, colour: red }'), /unknown input colour/],
    ['an input that is missing', include('{ app: podinfo }'), /environment is missing/],
    ['an input of another type', include('{ environment: staging, rules: always }'), /rules is no array/],
    ['an option that is none', include('{ environment: staging, publish: never }'), /publish cannot be/],
    ['a value of another form', include('{ environment: Staging }'), /environment is not like/],
    ['a component that is not there', include('{}', 'polish'), /no component polish/],
    ['another version', include('{ environment: staging }', 'deliver', '0.0.1'), /the version is 1.0.0/],
    [
      'two jobs of one name',
      `${include('{ environment: staging }')}${include('{ environment: staging }').replace('include:\n', '')}`,
      /two includes make the job/,
    ],
    ['rules that are none', include('{ environment: staging, rules: [{ iff: a }] }'), /iff/],
    ['a keyword that GitLab does not know', 'job: { script: [a], colour: red }\n', /colour/],
    ['needs of a job that is not there', 'job: { stage: test, script: [a], needs: [other] }\n', /other/],
  ])('%s', async (_what, text, fault) => expect(await faults(text)).toMatch(fault));
});

test('an agent’s key that GitLab does not know', () => {
  expect(agentFaults(parse('ci_access: { projects: [{ id: a/b, environments: [c] }] }'))).toEqual([]);
  expect(agentFaults(parse('ci_access: { projects: [{ id: a/b, branches: [c] }] }'))).toHaveLength(1);
});

test('a picture’s broken edge, and a voice that was not introduced', () => {
  expect(pictureFaults('flowchart LR\n  A[one] -- two --> B[three]\n')).toEqual([]);
  expect(pictureFaults('flowchart LR\n  A[one] -- two -> B[three]\n')).toHaveLength(1);
  expect(pictureFaults('sequenceDiagram\n  participant A as one\n  A->>B: two\n')).toHaveLength(1);
});
