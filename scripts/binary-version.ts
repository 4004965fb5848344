import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { binaryPath } from './binaries.mjs';

const wrappers = join(import.meta.dirname, '..', 'test', 'lab', 'wrap');

/**
 * What is wrong with a built tool, or null: Go keeps the versions of all modules in the binary, and the one of its main
 * package must be that of the wrapper module's go.mod. A damaged file has none. Programs of our own have no version.
 */
export function wrongVersion(name: string, path: string = binaryPath(name)): string | null {
  if (!existsSync(join(wrappers, name))) return null;
  const wanted = wantedVersion(name);
  const { status, stdout } = spawnSync('go', ['version', '-m', path], { encoding: 'utf8' });
  if (status !== 0) return 'it is no Go program, or damaged';
  const lines = stdout.split('\n').map((line) => line.trim().split('\t'));
  const found = lines.find(([kind, module]) => (kind === 'dep' || kind === 'mod') && module === wanted.module)?.[2];
  return found === wanted.version
    ? null
    : `it holds ${wanted.module} ${found ?? 'not at all'} instead of ${wanted.version}`;
}

/** The module of a wrapper's main package, the longest path that leads to it, with its version. */
function wantedVersion(name: string): { readonly module: string; readonly version: string } {
  const text = readFileSync(join(wrappers, name, 'go.mod'), 'utf8');
  const main = /^tool (\S+)$/m.exec(text)?.[1] ?? '';
  const modules = [...text.matchAll(/^(?:require )?\s*(\S+) (v\S+)/gm)]
    .map(([, module = '', version = '']) => ({ module, version }))
    .filter(({ module }) => main === module || main.startsWith(`${module}/`))
    .toSorted((a, b) => b.module.length - a.module.length);
  const [first] = modules;
  if (!first) throw new Error(`${name}: go.mod names no module of ${main}`);
  return first;
}
