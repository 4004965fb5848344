import { expect, test } from 'vitest';
import { edited, faultOf, planned, sha } from './edited.ts';

const pod = (indent: number): string =>
  [
    'initContainers:',
    '- image: ghcr.io/x/app:1',
    '  name: i',
    'containers:',
    '- name: a',
    '  image: "ghcr.io/x/app:1" # keep',
    '- {name: b, image: ghcr.io/x/other:1}',
    'ephemeralContainers:',
    "- {image: 'ghcr.io/x/app', name: e}",
  ]
    .map((line) => ' '.repeat(indent) + line)
    .join('\n');

test.each([
  ['v1', 'Pod', 'spec:\n', 2],
  ['apps/v1', 'Deployment', 'spec:\n  template:\n    spec:\n', 6],
  ['apps/v1', 'StatefulSet', 'spec:\n  template:\n    spec:\n', 6],
  ['batch/v1', 'CronJob', 'spec:\n  jobTemplate:\n    spec:\n      template:\n        spec:\n', 10],
  ['serving.knative.dev/v1', 'Service', 'spec:\n  template:\n    spec:\n', 6],
])('%s %s', (apiVersion, kind, head, indent) => {
  const text = `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata:\n  name: w\n${head}${pod(indent)}\n`;
  expect(edited(text, { image: 'ghcr.io/x/app:2' })).toBe(
    text.replaceAll('ghcr.io/x/app:1', 'ghcr.io/x/app:2').replace("'ghcr.io/x/app'", "'ghcr.io/x/app:2'"),
  );
  expect(planned({ 'w.yaml': text }, { image: 'ghcr.io/x/app:2' }).targets).toHaveLength(3);
});

test('items of a List, several documents, a duplicate of a document', () => {
  const one = `apiVersion: v1\nkind: Pod\nmetadata: {name: w}\nspec:\n${pod(2)}\n`;
  const text = `# head\n---\n${one}...\n---\n${one}---\napiVersion: v1\nkind: List\nitems:\n- kind: Pod\n  spec:\n${pod(4)}\n`;
  expect(edited(text, { image: `ghcr.io/x/app@${sha('c')}` })).toBe(
    text
      .replaceAll('ghcr.io/x/app:1', `ghcr.io/x/app@${sha('c')}`)
      .replaceAll("'ghcr.io/x/app'", `'ghcr.io/x/app@${sha('c')}'`),
  );
  expect(edited(text, { image: 'ghcr.io/x/app:2', document: '1' })).toBe(
    `# head\n---\n${one}...\n---\n${one.replaceAll('app:1', 'app:2').replace("'ghcr.io/x/app'", "'ghcr.io/x/app:2'")}---\n${text.slice(text.indexOf('apiVersion: v1\nkind: List'))}`,
  );
});

test('the registry with a port, a new name, and a name alone', () => {
  const text =
    'kind: Pod\nspec: {containers: [{image: reg:5000/app}, {image: "reg:5000/app:5000"}, {image: reg:5000/apple:1}]}\n';
  expect(edited(text, { image: 'reg:5000/app=ghcr.io/x/app' })).toBe(
    text.replace('reg:5000/app}', 'ghcr.io/x/app}').replace('reg:5000/app:5000', 'ghcr.io/x/app:5000'),
  );
  expect(edited(text, { image: 'reg:5000/app:v2' })).toBe(
    text.replace('reg:5000/app}', 'reg:5000/app:v2}').replace('reg:5000/app:5000', 'reg:5000/app:v2'),
  );
});

test('a renamed image is found again as unchanged', () => {
  const text = 'kind: Pod\nspec: {containers: [{image: a/app:1}]}\n';
  const after = edited(text, { image: 'a/app=b/app:2' });
  expect(edited(after, { image: 'a/app=b/app:2' })).toBe(after);
  expect(faultOf(() => edited(after, { image: 'a/app=b/app:3' })).code).toBe('target_missing');
});

test('pin: digest writes no tag beside it', () => {
  const text = 'kind: Pod\nspec: {containers: [{image: a/app:1}]}\n';
  expect(edited(text, { image: `a/app:2@${sha('a')}`, pin: 'digest' })).toContain(`a/app@${sha('a')}}`);
  expect(edited(text, { image: `a/app:2@${sha('a')}`, pin: 'both' })).toContain(`a/app:2@${sha('a')}}`);
});

test('a definition’s schema and other fields called image are no workloads', () => {
  for (const text of [
    'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec: {containers: [{image: a/app:1}]}\n',
    'apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {name: x}\nspec: {image: a/app}\n',
  ]) {
    expect(faultOf(() => edited(text, { image: 'a/app:2' })).code).toBe('target_missing');
  }
});

test('JSON patches of an image', () => {
  const text =
    '- op: replace\n  path: /spec/template/spec/containers/0/image\n  value: x/app:1\n- {op: add, path: /metadata/x, value: x/app:1}\n';
  expect(edited(text, { image: 'x/app:2' })).toBe(text.replace('value: x/app:1\n', 'value: x/app:2\n'));
  expect(planned({ 'p.yaml': text }, { image: 'x/app:2', mode: 'update' }).targets).toHaveLength(1);
});
