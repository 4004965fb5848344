import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { editedAll, planned } from './edited.ts';
import { effort } from './random-document.ts';

/** A place for an image: how it looks with a tag. */
type Print = (name: string, tag: string) => string;

const quotes = fc.constantFrom('', '"', "'");
const comment = fc.constantFrom('', ' # why', '   # {x}', '\t# é');
const entry: fc.Arbitrary<Print> = fc
  .tuple(quotes, comment, fc.boolean(), fc.boolean())
  .map(([quote, note, flow, first]) => (name, tag) => {
    const value = `newTag: ${quote}${tag}${quote}`;
    if (flow) return first ? `- {${value}, name: ${name}}${note}\n` : `- { name: ${name},  ${value} }${note}\n`;
    return first ? `- ${value}${note}\n  name: ${name}\n` : `- name: ${name}${note}\n  # tag\n  ${value}${note}\n`;
  });
const container: fc.Arbitrary<Print> = fc
  .tuple(quotes, comment, fc.boolean())
  .map(([quote, note, flow]) => (name, tag) => {
    const value = `image: ${quote}${name}:${tag}${quote}`;
    return flow ? `    - {${value}, name: c}${note}\n` : `    - name: c${note}\n      ${value}${note}\n`;
  });
const values: fc.Arbitrary<Print> = fc
  .tuple(quotes, comment, fc.constantFrom('parts', 'registry', 'reference', 'flow', 'joined'))
  .map(([quote, note, form]) => (name, tag) => {
    const slash = name.indexOf('/');
    const [registry, rest] = [name.slice(0, slash), name.slice(slash + 1)];
    switch (form) {
      case 'parts':
        return `- repository: ${name}${note}\n  tag: ${quote}${tag}${quote}${note}\n`;
      case 'registry':
        return registry.includes('.')
          ? `- image:\n    registry: ${registry}\n    repository: ${rest}\n    tag: ${quote}${tag}${quote}${note}\n`
          : `- image: {repository: ${name}, tag: ${quote}${tag}${quote}}${note}\n`;
      case 'reference':
        return `- image: ${quote}${name}:${tag}${quote}${note}\n`;
      case 'flow':
        return `- {image: {tag: ${quote}${tag}${quote}, repository: "${name}"}}${note}\n`;
      default:
        return `- ${quote}${name}:${tag}${quote}${note}\n`;
    }
  });
const kinds = {
  'kustomization.yaml': { print: entry, head: 'kind: Kustomization\nimages:\n' },
  'pod.yaml': { print: container, head: 'apiVersion: v1\nkind: Pod\nspec:\n  containers:\n' },
  'values.yaml': { print: values, head: 'images:\n' },
} as const;

const names = ['ghcr.io/x/app', 'x/app', 'x/app-b', 'reg.example:5000/x/app', 'docker.io/y/web', 'y/w'];
const tag = fc.constantFrom('v1', '1.2.3', 'main-0a1b2c', 'latest', 'v1.20-rc.1_b', '2024.01.15-x');
const item = fc.record({ name: fc.constantFrom(...names), tag });
const files = fc.record(
  Object.fromEntries(
    Object.entries(kinds).map(([path, { print, head }]) => [
      path,
      fc.record({
        head: fc.constant(head),
        crlf: fc.boolean(),
        bom: fc.boolean(),
        items: fc.array(fc.tuple(item, print), { minLength: 1, maxLength: 5 }),
      }),
    ]),
  ),
);

type Files = typeof files extends fc.Arbitrary<infer T> ? T : never;

function textsOf(all: Files, tags: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(all).map(([path, { head, crlf, bom, items }]) => {
      const text = head + items.map(([{ name, tag: old }, put]) => put(name, tags.get(name) ?? old)).join('');
      return [path, `${bom ? '\uFEFF' : ''}${crlf ? text.replaceAll('\n', '\r\n') : text}`];
    }),
  );
}

test('images change wherever they stand, in files of every kind and style, and not a byte beside them', () => {
  fc.assert(
    fc.property(
      files,
      fc.uniqueArray(item, { minLength: 1, maxLength: 3, selector: (each) => each.name }),
      (all, wishes) => {
        const held = new Set(Object.values(all).flatMap(({ items }) => items.map(([{ name }]) => name)));
        const asked = wishes.filter(({ name }) => held.has(name) && !(name === 'y/w' && held.has('docker.io/y/w')));
        fc.pre(asked.length > 0);
        const before = textsOf(all, new Map());
        const after = textsOf(all, new Map(asked.map(({ name, tag: now }) => [name, now])));
        const flags = asked.map(({ name, tag: now }) => `${name}:${now}`);
        expect(editedAll(before, { image: flags })).toEqual(after);
        expect(editedAll(before, { image: flags.toReversed() })).toEqual(after);
        expect(flags.reduce((so, flag) => editedAll(so, { image: flag }), before)).toEqual(after);
        expect(planned(after, { image: flags }).files).toEqual([]);
      },
    ),
    { numRuns: 200 * effort },
  );
});
