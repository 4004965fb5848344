import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generatedFiles } from '../scripts/pages/all.ts';

const root = join(import.meta.dirname, '..');

test('generated pages and schemas are fresh (npm run generate)', async () => {
  const files = await generatedFiles(root);
  expect(files.size).toBeGreaterThan(5);
  for (const [path, text] of files) expect(await readFile(join(root, path), 'utf8').catch(() => ''), path).toBe(text);
});
