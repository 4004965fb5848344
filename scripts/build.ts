import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';

const root = join(import.meta.dirname, '..');

const builtin = (name: string) => `process.getBuiltinModule('node:${name}')`;

/** What commander takes from Node; it never starts programs here. */
const commanderModules: Readonly<Record<string, string>> = {
  child_process: 'export default {};',
  events: `export const { EventEmitter } = ${builtin('events')};`,
  fs: `export default ${builtin('fs')};`,
  path: `export default ${builtin('path')};`,
  process: 'export default globalThis.process;',
  util: `export const stripVTControlCharacters = (text) => ${builtin('util')}.stripVTControlCharacters(text);`,
};

/**
 * An ESM import of one of Node's modules reads all its exports, and so loads what stands behind the lazy ones
 * (`fs.promises`, `process.stdout` …): that doubles the time of `--help`. commander gets the same modules without it.
 */
const lightCommander: Plugin = {
  name: 'light-commander',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path, importer }) =>
      importer.includes(join('node_modules', 'commander'))
        ? { path: path.slice('node:'.length), namespace: 'light' }
        : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'light' }, ({ path }) => {
      const contents = commanderModules[path];
      return contents === undefined
        ? { errors: [{ text: `commander takes ${path}, which is not known here` }] }
        : { contents };
    });
  },
};

/** Bundles the CLI into dist/: one small entry, systems and commands as chunks that are loaded when used. */
export async function bundle(): Promise<void> {
  const outdir = join(root, 'dist');
  await rm(outdir, { recursive: true, force: true });
  await build({
    entryPoints: { sluice: join(root, 'runner', 'main.ts') },
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: false,
    legalComments: 'external',
    logLevel: 'error',
    plugins: [lightCommander],
    chunkNames: 'chunks/[name]-[hash]',
    banner: {
      js: "import { createRequire as sluiceRequire } from 'node:module'; const require = sluiceRequire(import.meta.url);",
    },
  });
  await chmod(join(outdir, 'sluice.js'), 0o755);
}

if (import.meta.main) {
  await bundle();
  process.stderr.write('built dist/sluice.js\n');
}
