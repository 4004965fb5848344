import { describe, expect, test } from 'vitest';
import { edited, editedAll, faultOf, planned, sha } from './edited.ts';

const mark = (policy: string): string => `# {"$imagepolicy": "${policy}"}`;

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
        - name: web
          image: ghcr.io/x/app:1.0.0 ${mark('flux-system:app')}
          env:
            - {name: A, value: "keep"} # other
`;
const values = `image:
  repository: "ghcr.io/x/app" ${mark('flux-system:app:name')}
  tag: '1.0.0'   ${mark('flux-system:app:tag')}
  digest: ${sha('0')} ${mark('flux-system:app:digest')}
`;
const lone = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: v}\ndata:\n  version: 1.0.0 ${mark('flux-system:app:tag')}\n  other: 1.0.0 ${mark('flux-system:other:tag')}\n`;

describe('edit --setter', () => {
  test('the whole image sets its parts too', () => {
    const after = editedAll(
      { 'd.yaml': deployment, 'v.yaml': values, 'c.yaml': lone },
      { setter: `flux-system:app=ghcr.io/x/app:1.20@${sha('a')}` },
    );
    expect(after['d.yaml']).toBe(deployment.replace('ghcr.io/x/app:1.0.0', `ghcr.io/x/app:1.20@${sha('a')}`));
    expect(after['v.yaml']).toBe(values.replace("'1.0.0'", "'1.20'").replace(sha('0'), sha('a')));
    expect(after['c.yaml']).toBe(lone.replace('version: 1.0.0', 'version: "1.20"'));
  });

  test('a part alone', () => {
    expect(edited(lone, { setter: 'flux-system:app:tag=2.0.0' })).toBe(
      lone.replace('version: 1.0.0', 'version: 2.0.0'),
    );
    expect(edited(deployment + `---\n${lone}`, { setter: 'flux-system:app:tag=2.0.0' })).toContain('app:1.0.0');
  });

  test.each([
    [
      'flow map',
      `a: {tag: 1.0.0, x: y}\nb: {x: y, tag: 1.0.0} ${mark('n:p:tag')}\n`,
      `a: {tag: 1.0.0, x: y}\nb: {x: y, tag: 2} ${mark('n:p:tag')}\n`.replace('tag: 2}', 'tag: "2"}'),
    ],
    [
      'flow map over lines',
      `a: {\n  tag: v1, ${mark('n:p:tag')}\n  x: y\n}\n`,
      `a: {\n  tag: "2", ${mark('n:p:tag')}\n  x: y\n}\n`,
    ],
    [
      'list items',
      `a:\n  - v1 ${mark('n:p:tag')}\n  - [v1] ${mark('n:p:tag')}\n`,
      `a:\n  - "2" ${mark('n:p:tag')}\n  - ["2"] ${mark('n:p:tag')}\n`,
    ],
    [
      'white space in the marker',
      `a: "v1" # { "$imagepolicy" : "n:p:tag" }\n`,
      `a: "2" # { "$imagepolicy" : "n:p:tag" }\n`,
    ],
    ['no white space', `a: v1 #{"$imagepolicy":"n:p:tag"}\n`, `a: "2" #{"$imagepolicy":"n:p:tag"}\n`],
    ['white space after the key', `"a"  :   v1 ${mark('n:p:tag')}  \n`, `"a"  :   "2" ${mark('n:p:tag')}  \n`],
    ['every item of a list in brackets', `a: [v1, v1] ${mark('n:p:tag')}\n`, `a: ["2", "2"] ${mark('n:p:tag')}\n`],
    [
      'an item of a list over lines',
      `a: [\n  v1, ${mark('n:p:tag')}\n  v1\n]\n`,
      `a: [\n  "2", ${mark('n:p:tag')}\n  v1\n]\n`,
    ],
    [
      'the value that the part names in a map in braces',
      `- {newTag: v1, name: x} ${mark('n:p:tag')}\n`,
      `- {newTag: "2", name: x} ${mark('n:p:tag')}\n`,
    ],
    ['between key and value', `a: ${mark('n:p:tag')}\n  v1\nb: v1\n`, `a: ${mark('n:p:tag')}\n  "2"\nb: v1\n`],
    [
      'on the line above the key',
      `a:\n  ${mark('n:p:tag')}\n  b: v1\n  c: v1\n`,
      `a:\n  ${mark('n:p:tag')}\n  b: "2"\n  c: v1\n`,
    ],
    ['on the line above an item', `${mark('n:p:tag')}\n- v1\n- v1\n`, `${mark('n:p:tag')}\n- "2"\n- v1\n`],
    ['two documents', `a: v1\n---\na: v1 ${mark('n:p:tag')}\n`, `a: v1\n---\na: "2" ${mark('n:p:tag')}\n`],
    ['CRLF', `a: v1 ${mark('n:p:tag')}\r\nb: v1\r\n`, `a: "2" ${mark('n:p:tag')}\r\nb: v1\r\n`],
  ])('%s', (_, before, after) => {
    expect(edited(before, { setter: 'n:p:tag=2' })).toBe(after);
  });

  test('above the key it counts alone, in the first line below, and not for a map', () => {
    for (const text of [
      `# why\n${mark('n:p:tag')}\na: v1\n`,
      `${mark('n:p:tag')}\n\na: v1\n`,
      `${mark('n:p:tag')}\na:\n  b: v1\n`,
      `${mark('n:p:tag')}\n- a: v1\n`,
    ]) {
      expect(faultOf(() => edited(text, { setter: 'n:p:tag=2' })).code).toBe('target_missing');
    }
  });

  test('a block scalar with a marker is refused with its place', () => {
    const text = `v: >- ${mark('n:p:tag')}\n  1.0\n`;
    expect(faultOf(() => edited(text, { setter: 'n:p:tag=2' }))).toMatchObject({
      code: 'edit_refused',
      message: expect.stringContaining('file.yaml:1:4'),
    });
    const image = `v: >- ${mark('n:p')}\n  x/app:1\n`;
    expect(faultOf(() => edited(image, { image: 'x/app:2' })).message).toContain('file.yaml:1:4');
  });

  test('faults', () => {
    expect(faultOf(() => edited(lone, { setter: 'flux-system:nope:tag=1' }))).toMatchObject({
      code: 'target_missing',
      hint: expect.stringContaining('flux-system:app:tag'),
    });
    expect(faultOf(() => edited(lone, { setter: 'app=1' })).code).toBe('usage');
    expect(faultOf(() => edited(deployment, { setter: 'flux-system:app=not an image' })).code).toBe('image_reference');
    expect(faultOf(() => edited(deployment, { setter: 'flux-system:app=UPPER:1' })).code).toBe('image_reference');
    expect(faultOf(() => edited(`a: |\n  x ${mark('n:p:tag')}\n`, { setter: 'n:p:tag=1' })).code).toBe(
      'target_missing',
    );
  });
});

test('an encrypted file of a folder is passed over; alone it is exit 3', () => {
  const files = { 'a.yaml': `${lone}sops: {mac: x, version: 3}\n`, 'b.yaml': lone };
  const asked = { setter: 'flux-system:app:tag=2.0.0', named: [] };
  expect(planned(files, asked)).toMatchObject({
    files: [{ path: 'b.yaml' }],
    notTaken: [{ file: 'a.yaml', reason: 'encrypted' }],
  });
  expect(faultOf(() => planned({ 'a.yaml': files['a.yaml'] }, asked))).toMatchObject({ code: 'encrypted', exit: 3 });
  expect(faultOf(() => planned(files, { ...asked, named: ['a.yaml'] })).code).toBe('encrypted');
});

describe('--image finds markers', () => {
  test('by the value, by neighbours, and by other marked values of the policy', () => {
    const change = planned(
      { 'd.yaml': deployment, 'v.yaml': values, 'c.yaml': lone },
      { image: 'ghcr.io/x/app:2.0.0', mode: 'update' },
    );
    expect(change.targets.map(({ kind, file, path }) => [kind, file, path])).toEqual([
      ['setter', 'd.yaml', 'Deployment/web spec.template.spec.containers[name=web].image'],
      ['setter', 'v.yaml', 'image.tag'],
      ['setter', 'c.yaml', 'ConfigMap/v data.version'],
    ]);
    expect(change.notTaken.map(({ reason }) => reason)).toContain('refused');
  });

  test('a tag that carries its digest keeps that form', () => {
    const text = `tag: 1@${sha('0')} ${mark('n:p:tag')}\nname: ghcr.io/x/app ${mark('n:p:name')}\n`;
    expect(edited(text, { image: `ghcr.io/x/app:2@${sha('a')}` })).toBe(text.replace(`1@${sha('0')}`, `2@${sha('a')}`));
  });
});

test.each([
  ['f:app', 6, 'missing'],
  ['app=x:1', 4, 'the name of the policy'],
  [':app:tag=1', 1, 'the namespace'],
  ['f::tag=1', 3, 'the name of the policy'],
  ['f:app:tags=1', 7, 'tag, name or digest'],
  ['f:app:tag:x=1', 7, 'tag, name or digest'],
  ['f:my app:tag=1', 5, 'space'],
  ['f:app:tag=', 11, 'empty'],
  ['f:app:tag=1/2', 12, 'cannot stand in a tag'],
  ['f:app:tag=1\n', 12, 'cannot stand in a tag'],
  ['f:app:digest=sha256:0', 14, 'sha256'],
  ['f:app:name=x/App', 14, 'lower case'],
])('a wrong --setter is told with its place: %j', (setter, at, problem) => {
  const { exit, message } = faultOf(() => edited(lone, { setter }));
  expect(exit).toBe(2);
  expect(message).toContain(`character ${at}: `);
  expect(message).toContain(problem);
});
