import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generatedFiles } from './pages/all.ts';

const root = join(import.meta.dirname, '..');
for (const [path, text] of await generatedFiles(root)) await writeFile(join(root, path), text);
