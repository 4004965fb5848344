import { build } from 'esbuild';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bundledPackages, thirdPartyLicences } from '../../scripts/licences.ts';

const root = join(import.meta.dirname, '..', '..');

test('every package in a bundle is named once, with its licence’s text', async () => {
  const { metafile } = await build({
    absWorkingDir: root,
    stdin: { contents: "export * from 'yaml'; export * from 'zod'; export * from './src/fault.ts';", resolveDir: root },
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
  });
  const text = await thirdPartyLicences(root, await bundledPackages(root, Object.keys(metafile.inputs)));
  expect(text.match(/^\S+ \d+\.\d+\.\d+ \(.+\)$/gm)).toEqual([
    expect.stringMatching(/^yaml .*\(ISC\)$/),
    expect.stringMatching(/^zod .*\(MIT\)$/),
  ]);
  expect(text).toMatch(/Permission to use, copy, modify[\s\S]*Permission is hereby granted/);
});
