import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { archive, type ArchiveFile } from '../../../src/artifact/archive.ts';
import { ignoreRules } from '../../../src/artifact/ignore.ts';
import { gzipped } from '../../../src/artifact/layout.ts';
import { oracle } from '../oracle.ts';

const bytewise = (paths: readonly string[]) => paths.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

async function layerOf(paths: readonly string[]): Promise<Uint8Array> {
  const files: ArchiveFile[] = paths.map((path, index) => ({
    path,
    executable: index % 2 === 1,
    content: Buffer.from(path.repeat(index)),
  }));
  const chunks: Uint8Array[] = [];
  for await (const chunk of gzipped(archive(files))) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test('Flux unpacks any names to the same files', async () => {
  const segment = fc
    .oneof(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
      fc.string({ unit: fc.constantFrom('a', 'ä', ' ', '-'), minLength: 90, maxLength: 120 }),
    )
    // Flux's untar refuses backslashes (fluxcd/pkg/tar `validRelPath`); names end at 255 bytes on disks.
    .filter((text) => !/[/\0\\]|^\.\.?$/.test(text) && text.isWellFormed() && Buffer.byteLength(text) < 256);
  const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  const clash = (a: string, b: string) => a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(path, { minLength: 1, maxLength: 8, comparator: clash }), async (names) => {
      const paths = bytewise(names);
      const found = await oracle.untar(await layerOf(paths));
      expect(found).toEqual(
        Object.fromEntries(paths.map((name, index) => [name, Buffer.from(name.repeat(index)).toString('latin1')])),
      );
    }),
    { numRuns: 60 },
  );
});

const names = ['a.yaml', 'b.txt', 'apps', 'web', 'logo.png', '.gitlab-ci.yml', 'docs', 'x.tar.gz', '[x]', '-n', 'ä'];
const rules = [...names, '*', '**', '*.yaml', '*.png', '?.txt', 'a*', '[a-c]*', '\\[x\\]', '.sourceignore'];

test('the ignore rules keep what source-controller keeps', async () => {
  const path = fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  const line = fc
    .record({
      not: fc.constantFrom('', '', '!'),
      start: fc.constantFrom('', '', '/'),
      parts: fc.array(fc.constantFrom(...rules), { minLength: 1, maxLength: 3 }),
      end: fc.constantFrom('', '', '/', ' '),
    })
    .map(({ not, start, parts, end }) => not + start + parts.join('/') + end);
  const text = fc
    .array(fc.oneof(line, fc.constant('# words'), fc.constant('')), { maxLength: 4 })
    .map((l) => l.join('\n'));
  const folders = fc.dictionary(fc.constantFrom('', 'apps/', 'apps/web/'), text, { maxKeys: 3 });
  const clash = (a: string, b: string) => a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);
  const tree = fc.uniqueArray(path, { minLength: 3, maxLength: 14, comparator: clash });
  await fc.assert(
    fc.asyncProperty(folders, tree, async (texts, paths) => {
      const ignoreFiles = Object.entries(texts)
        .map(([folder, content]) => [`${folder}.sourceignore`, content] as const)
        .filter(([file]) => !paths.some((one) => file.startsWith(`${one}/`)));
      const latin = (content: string) => Buffer.from(content).toString('latin1');
      const files = Object.fromEntries([
        ...paths.map((one) => [one, 'x']),
        ...ignoreFiles.map(([f, t]) => [f, latin(t)]),
      ]);
      const ignored = ignoreRules(new Map(ignoreFiles));
      const kept = Object.keys(await oracle.keep(files));
      expect(
        Object.keys(files)
          .filter((one) => !ignored(one))
          .sort(),
      ).toEqual(kept.sort());
    }),
    { numRuns: 150 },
  );
});
