import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bringsBack, ignoreRules } from '../../src/artifact/ignore.ts';

interface Golden {
  readonly paths: readonly string[];
  readonly cases: readonly { readonly files: Readonly<Record<string, string>>; readonly kept: readonly string[] }[];
}

const golden = JSON.parse(await readFile(join(import.meta.dirname, '../golden/ignore.json'), 'utf8')) as Golden;

test.each(golden.cases.map((one) => [JSON.stringify(one.files), one] as const))(
  'keeps what Flux keeps: %s',
  (_, one) => {
    const ignored = ignoreRules(new Map(Object.entries(one.files)));
    expect(golden.paths.filter((path) => !ignored(path)).sort()).toEqual([...one.kept].sort());
  },
);

test('a negation means that Flux needs the file', () => {
  expect(bringsBack('*.png\n!logo.png\n')).toBe(true);
  expect(bringsBack('*.png\n#!logo.png\n')).toBe(false);
});
