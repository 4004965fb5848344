import { describe, expect, test } from 'vitest';
import { edited, sha } from './edited.ts';

const [old, now] = [sha('0'), sha('a')];
const given = `x/app:v2@${now}`;
const kinds = {
  entry: (rest: string) => `kind: Kustomization\nimages:\n- name: x/app\n${rest}`,
  container: (rest: string) => `kind: Pod\nspec: {containers: [{name: c, image: "x/app${rest}"}]}\n`,
  values: (rest: string) => `image:\n  repository: x/app\n${rest}`,
  source: (rest: string) =>
    `apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: s}\nspec:\n  url: oci://x/app\n  ref:\n${rest}`,
};

describe.each([
  [
    'entry',
    '  newTag: v1\n',
    { tag: '  newTag: v2\n', digest: `  digest: ${now}\n`, both: `  newTag: v2\n  digest: ${now}\n` },
  ],
  [
    'entry',
    `  newTag: v1\n  digest: ${old}\n`,
    { tag: '  newTag: v2\n', digest: `  digest: ${now}\n`, both: `  newTag: v2\n  digest: ${now}\n` },
  ],
  ['container', `:v1@${old}`, { tag: ':v2', digest: `@${now}`, both: `:v2@${now}` }],
  ['container', ':v1', { tag: ':v2', digest: `@${now}`, both: `:v2@${now}` }],
  ['values', '  tag: v1\n', { tag: '  tag: v2\n', digest: `  tag: v2@${now}\n`, both: `  tag: v2@${now}\n` }],
  [
    'values',
    `  tag: v1\n  digest: ${old}\n`,
    {
      tag: '  tag: v2\n  digest: ""\n',
      digest: `  tag: v2\n  digest: ${now}\n`,
      both: `  tag: v2\n  digest: ${now}\n`,
    },
  ],
  [
    'source',
    '    tag: v1\n',
    { tag: '    tag: v2\n', digest: `    tag: v2\n    digest: ${now}\n`, both: `    tag: v2\n    digest: ${now}\n` },
  ],
] as const)('%s %j', (kind, before, after) => {
  const text = kinds[kind];
  test.each(['tag', 'digest', 'both'] as const)('pin: %s', (pin) => {
    expect(edited(text(before), { image: given, pin })).toBe(text(after[pin]));
    expect(edited(text(after[pin]), { image: given, pin })).toBe(text(after[pin]));
  });

  test('without pin, what is given', () => {
    expect(edited(text(before), { image: given })).toBe(text(after.both));
    expect(edited(text(before), { image: 'x/app:v2' })).toBe(text(after.tag));
  });
});

test('pin: tag writes a digest that comes without tag', () => {
  expect(edited(kinds.container(':v1'), { image: `x/app@${now}`, pin: 'tag' })).toBe(kinds.container(`@${now}`));
});
