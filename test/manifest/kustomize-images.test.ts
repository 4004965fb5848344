import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { binaryPath } from '../../scripts/binaries.mjs';
import { edited, editedAll, faultOf, planned, sha } from './edited.ts';

const path = 'kustomization.yaml';
const set = (text: string, image: string): string => edited(text, { image }, path);

describe('an entry of images', () => {
  test.each([
    [
      'empty tag, digest to be added',
      'images:\n- name: app\n  newTag:\n',
      `app:2@${sha('b')}`,
      `images:\n- name: app\n  newTag: "2"\n  digest: ${sha('b')}\n`,
    ],
    ['tag', 'images:\n- name: app\n  newTag: "1"\n', 'app:2', 'images:\n- name: app\n  newTag: "2"\n'],
    [
      'tag by newName',
      'images:\n- name: app\n  newName: ghcr.io/x/app\n  newTag: v1\n',
      'ghcr.io/x/app:v2',
      'images:\n- name: app\n  newName: ghcr.io/x/app\n  newTag: v2\n',
    ],
    [
      'a number stays a number',
      'images:\n- name: app\n  newTag: 38\n',
      'app:39',
      'images:\n- name: app\n  newTag: 39\n',
    ],
    [
      'new tag key after newName',
      'images:\n- name: app\n  newName: x/app # why\n',
      'app:v2',
      'images:\n- name: app\n  newName: x/app # why\n  newTag: v2\n',
    ],
    [
      'new tag key in the sibling’s quotes',
      "images:\n  - name: 'app'",
      'app:v2',
      "images:\n  - name: 'app'\n    newTag: 'v2'",
    ],
    [
      'new tag key in a flow map',
      'images: [{name: app}, {name: b, newTag: "1"}]\n',
      'app:v2',
      'images: [{name: app, newTag: v2}, {name: b, newTag: "1"}]\n',
    ],
    [
      'spacing of a flow map',
      'images:\n- { "name":"app","newName":"x/app" }\n',
      'app:v2',
      'images:\n- { "name":"app","newName":"x/app","newTag":"v2" }\n',
    ],
    [
      'new name',
      'images:\n- name: app\n  newTag: v1\n',
      'app=ghcr.io/x/app:v2',
      'images:\n- name: app\n  newName: ghcr.io/x/app\n  newTag: v2\n',
    ],
    [
      'new name alone keeps the tag',
      'images:\n- name: app\n  newName: a/app\n  newTag: v1\n',
      'app=b/app',
      'images:\n- name: app\n  newName: b/app\n  newTag: v1\n',
    ],
    [
      'digest for tag',
      'images:\n- name: app\n  newTag: v1\n',
      `app=@${sha('a')}`,
      `images:\n- name: app\n  digest: ${sha('a')}\n`,
    ],
    [
      'tag for digest',
      `images:\n- name: app\n  digest: ${sha('a')}\n`,
      'app:v1',
      'images:\n- name: app\n  newTag: v1\n',
    ],
    [
      'tag for a digest that stands first',
      `images:\n- digest: ${sha('a')}\n  name: app\n- name: b\n`,
      'app:v1',
      'images:\n- name: app\n  newTag: v1\n- name: b\n',
    ],
    [
      'tag for digest in a flow map',
      `images: [{name: app, digest: '${sha('a')}'}]\n`,
      'app:v1',
      'images: [{name: app, newTag: v1}]\n',
    ],
    [
      'tag and digest',
      'images:\n- name: app\n  newTag: v1\n',
      `app:v2@${sha('b')}`,
      `images:\n- name: app\n  newTag: v2\n  digest: ${sha('b')}\n`,
    ],
    [
      'a digest in the tag stays there',
      `images:\n- name: app\n  newTag: v1@${sha('0')}\n`,
      `app:v2@${sha('b')}`,
      `images:\n- name: app\n  newTag: v2@${sha('b')}\n`,
    ],
    [
      'a digest in the tag, and a digest alone',
      `images:\n- name: app\n  newTag: v1@${sha('0')}\n`,
      `app=@${sha('b')}`,
      `images:\n- name: app\n  newTag: v1@${sha('b')}\n`,
    ],
    [
      'a digest in the tag, and a tag alone',
      `images:\n- name: app\n  newTag: v1@${sha('0')}\n`,
      'app:v2',
      'images:\n- name: app\n  newTag: v2\n',
    ],
    [
      'CRLF and no last line end',
      'images:\r\n- name: app\r\n  newName: x/app',
      'app:v2',
      'images:\r\n- name: app\r\n  newName: x/app\r\n  newTag: v2',
    ],
    [
      'an empty tag',
      'images:\n- name: app\n  newTag: # later\n',
      'app:v2',
      'images:\n- name: app\n  newTag: v2 # later\n',
    ],
    [
      'kustomize’s indentless list with comments',
      'images:\n# first\n- name: app # a\n  # b\n  newTag: v1 # c\n',
      'app:v2',
      'images:\n# first\n- name: app # a\n  # b\n  newTag: v2 # c\n',
    ],
  ])('%s', (_, before, image, after) => {
    expect(set(before, image)).toBe(after);
    expect(set(after, image)).toBe(after);
  });

  test('is found in Component, Flux Kustomization and post renderers, and nowhere else', () => {
    const entry = (indent: string): string => `${indent}images:\n${indent}  - name: app\n${indent}    newTag: v1\n`;
    for (const head of [
      `apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n${entry('')}`,
      `apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: x}\nspec:\n${entry('  ')}`,
      `apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: x}\nspec:\n  postRenderers:\n    - kustomize:\n${entry('        ')}`,
    ]) {
      expect(edited(head, { image: 'app:v2' }, 'x.yaml')).toBe(head.replace('newTag: v1', 'newTag: v2'));
      expect(planned({ 'x.yaml': head }, { image: 'app:v2' }).targets.map(({ kind }) => kind)).toEqual([
        'kustomize-images',
      ]);
    }
    expect(
      faultOf(() =>
        edited('kind: Other\napiVersion: v1\nimages:\n- name: app\n  newTag: v1\n', { image: 'app:v2' }, 'x.yaml'),
      ).code,
    ).toBe('target_missing');
  });

  test('a variable is left alone', () => {
    expect(faultOf(() => set('images:\n- name: app\n  newTag: ${TAG}\n', 'app:v2'))).toMatchObject({
      code: 'edit_refused',
      exit: 3,
    });
  });

  test('a list entry that an alias repeats gets its missing key once', () => {
    expect(set('images:\n- &a\n  name: app\n- *a\n', 'app:v2')).toBe(
      'images:\n- &a\n  name: app\n  newTag: v2\n- *a\n',
    );
  });

  test('own-line comments are not removed with a digest', () => {
    const text = `images:\n- digest: ${sha('a')}\n  # why\n  name: app\n`;
    expect(faultOf(() => set(text, 'app:v2')).code).toBe('edit_refused');
  });
});

test('kustomize itself builds the wanted image from every combination', () => {
  const entries = [
    '',
    '  newTag: old\n',
    `  digest: ${sha('0')}\n`,
    '  newName: x/app\n',
    '  newName: x/app\n  newTag: "1.0"\n',
    `  newTag: old\n  digest: ${sha('0')}\n`,
  ];
  const changes: [string, (name: string) => string][] = [
    ['app:1.20', (name) => `${name}:1.20`],
    [`app=@${sha('a')}`, (name) => `${name}@${sha('a')}`],
    [`app:v2@${sha('b')}`, (name) => `${name}:v2@${sha('b')}`],
    ['app=y/app:0755', () => 'y/app:0755'],
  ];
  const folder = mkdtempSync(join(tmpdir(), 'sluice-images-'));
  const built: string[] = [];
  const wanted: string[] = [];
  try {
    writeFileSync(
      join(folder, 'pod.yaml'),
      'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n    - {name: c, image: app:base}\n',
    );
    for (const entry of entries) {
      for (const [image, result] of changes) {
        const text = set(`resources: [pod.yaml]\nimages:\n- name: app\n${entry}`, image);
        writeFileSync(join(folder, path), text);
        const output = execFileSync(binaryPath('kustomize'), ['build', folder], { encoding: 'utf8' });
        built.push(/image: (.*)/.exec(output)![1]!);
        wanted.push(result(entry.includes('x/app') ? 'x/app' : 'app'));
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  expect(built).toEqual(wanted);
});

test('several changes in one file are applied together, in any order', () => {
  const text = 'images:\n- name: a\n- name: b\n  newTag: "1"\n- {name: c}\n';
  const flags = ['a:1', 'b:2', 'c:v3'];
  const one = edited(text, { image: flags }, path);
  expect(one).toBe('images:\n- name: a\n  newTag: "1"\n- name: b\n  newTag: "2"\n- {name: c, newTag: v3}\n');
  expect(edited(text, { image: flags.toReversed() }, path)).toBe(one);
  expect(editedAll({ [path]: text, 'b/kustomization.yml': text }, { image: flags })['b/kustomization.yml']).toBe(one);
});
