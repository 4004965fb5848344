import { describe, expect, test } from 'vitest';
import { edited, faultOf } from './edited.ts';

const twoApps = `x-tag: &tag v1
a:
  image: {repository: x/a, tag: *tag}
b:
  image: {repository: x/b, tag: *tag}
`;

describe('an alias at the target', () => {
  test('the anchor changes where all its users are targets', () => {
    expect(edited(twoApps, { image: ['x/a:v2', 'x/b:v2'] })).toBe(twoApps.replace('&tag v1', '&tag v2'));
    expect(
      edited(twoApps, {
        set: [
          ['a.image.tag', 'v2'],
          ['b.image.tag', 'v2'],
        ],
      }),
    ).toBe(twoApps.replace('&tag v1', '&tag v2'));
  });

  test('else it is refused, and the users are named', () => {
    const fault = faultOf(() => edited(twoApps, { image: 'x/a:v2' }));
    expect(fault).toMatchObject({ code: 'edit_refused', exit: 3 });
    expect(fault.message).toContain('5:33');
    expect(fault.message).not.toContain('3:33');
    expect(faultOf(() => edited(twoApps, { image: ['x/a:v2', 'x/b:v3'] })).code).toBe('edit_refused');
  });

  test('the anchored value itself', () => {
    expect(faultOf(() => edited(twoApps, { set: [['x-tag', 'v2']] })).message).toContain('3:33, 5:33');
    expect(
      edited(twoApps, {
        set: [
          ['x-tag', 'v2'],
          ['a.image.tag', 'v2'],
          ['b.image.tag', 'v2'],
        ],
      }),
    ).toBe(twoApps.replace('&tag v1', '&tag v2'));
    expect(edited('a: &unused v1\nb: 1\n', { set: [['a', 'v2']] })).toBe('a: &unused v2\nb: 1\n');
  });

  test('an anchor on a value of another image is a user too', () => {
    const text = 'a: {repository: x/a, tag: &t v1}\nb: {repository: x/b, tag: *t}\n';
    expect(faultOf(() => edited(text, { image: 'x/b:v2' })).message).toContain('1:30');
    expect(edited(text, { image: ['x/a:v2', 'x/b:v2'] })).toBe(text.replace('v1', 'v2'));
  });

  test('containers that share one reference', () => {
    const text = 'kind: Pod\nspec:\n  initContainers: [{image: &i x/a:v1}]\n  containers: [{image: *i}]\n';
    expect(edited(text, { image: 'x/a:v2' })).toBe(text.replace('v1', 'v2'));
  });

  test('an anchor that is set again counts for its own users', () => {
    const text = 'a: &t v1\nb: *t\nc: &t v5\nd: *t\n';
    expect(
      edited(text, {
        set: [
          ['a', 'v2'],
          ['b', 'v2'],
        ],
      }),
    ).toBe(text.replace('v1', 'v2'));
  });
});

describe('an alias of a whole map', () => {
  const text = 'base: &b\n  image: {repository: x/a, tag: v1}\nweb: *b\n';
  test('holds the same image twice', () => {
    expect(edited(text, { image: 'x/a:v2' })).toBe(text.replace('v1', 'v2'));
  });
  test('by path both must be asked for', () => {
    expect(faultOf(() => edited(text, { set: [['web.image.tag', 'v2']] })).code).toBe('edit_refused');
    expect(faultOf(() => edited(text, { set: [['base.image.tag', 'v2']] })).code).toBe('edit_refused');
    expect(
      edited(text, {
        set: [
          ['web.image.tag', 'v2'],
          ['base.image.tag', 'v2'],
        ],
      }),
    ).toBe(text.replace('v1', 'v2'));
  });
});

describe('merge keys', () => {
  const text = 'base: &base\n  repository: x/a\n  tag: v1\nweb:\n  <<: *base\n  replicas: 2\n';

  test('the value changes where it really stands', () => {
    expect(edited(text, { image: 'x/a:v2' })).toBe(text.replace('v1', 'v2'));
    expect(edited(text, { set: [['web.tag', 'v2']] })).toBe(text.replace('v1', 'v2'));
    expect(edited(text, { set: [['base.tag', 'v2']] })).toBe(text.replace('v1', 'v2'));
    expect(edited(text, { set: [['web.replicas', '3']] })).toBe(text.replace('2', '3'));
  });

  test('an own key goes before the merged one', () => {
    const own = `${text}api:\n  <<: *base\n  tag: v7\n`;
    expect(edited(own, { set: [['api.tag', 'v8']] })).toBe(own.replace('v7', 'v8'));
    expect(edited(own, { set: [['web.tag', 'v2']] })).toBe(own.replace('v1', 'v2'));
  });

  test('others that inherit the value are named', () => {
    const other = `${text}api:\n  <<: *base\n`;
    expect(faultOf(() => edited(other, { set: [['web.tag', 'v2']] })).message).toContain('8:7');
    expect(
      edited(other, {
        set: [
          ['web.tag', 'v2'],
          ['api.tag', 'v2'],
        ],
      }),
    ).toBe(other.replace('v1', 'v2'));
  });

  test('an image that inherits another one’s tag', () => {
    const other = `${text}api:\n  <<: *base\n  repository: x/b\n`;
    expect(faultOf(() => edited(other, { image: 'x/a:v2' })).code).toBe('edit_refused');
    expect(edited(other, { image: ['x/a:v2', 'x/b:v2'] })).toBe(other.replace('v1', 'v2'));
  });

  test('a key that is added is inherited too', () => {
    const entry = 'images:\n- &a\n  name: x/a\n- <<: *a\n  name: x/b\n';
    expect(faultOf(() => edited(entry, { image: 'x/a:v2' }, 'kustomization.yaml')).message).toContain('4:7');
    const own = 'images:\n- &a\n  name: x/a\n- <<: *a\n  name: x/b\n  newTag: v7\n';
    expect(edited(own, { image: 'x/a:v2' }, 'kustomization.yaml')).toBe(own.replace('x/a\n', 'x/a\n  newTag: v2\n'));
  });

  test('lists of merges', () => {
    const list = 'a: &a {tag: v1}\nb: &b {repository: x/a, tag: v9}\nc:\n  <<: [*a, *b]\n';
    expect(edited(list, { set: [['c.tag', 'v2']] })).toBe(list.replace('v1', 'v2'));
  });
});

test('merges of merges are each looked into once', () => {
  const levels = Array.from({ length: 24 }, (_, level) => {
    const merged = Array.from({ length: 10 }, () => `*a${level}`).join(', ');
    return `a${level + 1}: &a${level + 1}\n  <<: [${merged}]\n`;
  });
  const bomb = `a0: &a0 {k: one}\n${levels.join('')}image: web:1\nuser: {<<: *a24, own: 1}\n`;
  expect(edited(bomb, { image: 'web:2' })).toBe(bomb.replace('web:1', 'web:2'));
  expect(faultOf(() => edited(bomb, { set: [['user.none', 'x']] })).code).toBe('target_missing');
  expect(faultOf(() => edited(bomb, { set: [['user.k', 'x']] })).code).toBe('edit_refused');
});
