import { chmod, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { bundledPackages, thirdPartyLicences } from './licences.ts';

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
  setup(bundling) {
    bundling.onResolve({ filter: /^node:/ }, ({ path, importer }) =>
      importer.includes(join('node_modules', 'commander'))
        ? { path: path.slice('node:'.length), namespace: 'light' }
        : undefined,
    );
    bundling.onLoad({ filter: /.*/, namespace: 'light' }, ({ path }) => {
      const contents = commanderModules[path];
      return contents === undefined
        ? { errors: [{ text: `commander takes ${path}, which is not known here` }] }
        : { contents };
    });
  },
};

/** zod brings its messages in fifty languages, half of its size; sluice shows none but English. */
const englishZod: Plugin = {
  name: 'english-zod',
  setup(bundling) {
    bundling.onResolve({ filter: /\/locales\/index\.js$/ }, ({ path, importer }) =>
      importer.includes(join('node_modules', 'zod')) ? { path, namespace: 'english' } : undefined,
    );
    bundling.onLoad({ filter: /.*/, namespace: 'english' }, () => ({ contents: 'export {};' }));
  },
};

/**
 * What bundled CommonJS takes from Node, in every chunk. `createRequire` would load Node's own loader of such modules;
 * packages that are not there must fail as they do with it: some are asked for only in case they are installed.
 */
const requireBuiltin =
  "const require=(id)=>{const found=process.getBuiltinModule(id);if(!found)throw Object.assign(new Error(`Cannot find module '${id}'`),{code:'MODULE_NOT_FOUND'});return found};";

const staleAfterMs = 3_600_000;

/**
 * Bundles the CLI into dist/: one small entry, systems and commands as chunks that are loaded when used. Chunks are named
 * by their content and the entry is replaced last, so that a CLI that runs meanwhile finds its own.
 */
export async function bundle(): Promise<void> {
  const outdir = join(root, 'dist');
  const { outputFiles, metafile } = await build({
    entryPoints: { sluice: join(root, 'runner', 'main.ts') },
    outdir,
    write: false,
    metafile: true,
    absWorkingDir: root,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'external',
    logLevel: 'error',
    plugins: [lightCommander, englishZod],
    chunkNames: 'chunks/[name]-[hash]',
    banner: { js: requireBuiltin },
  });
  await mkdir(join(outdir, 'chunks'), { recursive: true });
  const entry = join(outdir, 'sluice.js');
  for (const { path, contents } of outputFiles.toSorted(
    (a, b) => Number(a.path === entry) - Number(b.path === entry),
  )) {
    const staging = `${path}.${process.pid}`;
    await writeFile(staging, contents);
    if (path === entry) await chmod(staging, 0o755);
    await rename(staging, path);
  }
  const packages = await bundledPackages(root, Object.keys(metafile.inputs));
  await writeFile(join(outdir, 'THIRD-PARTY-LICENCES.txt'), await thirdPartyLicences(root, packages));
  const names = packages.map(({ name, version }) => `${name}@${version}`);
  // Where no package.json says so, Node tries each file as CommonJS first.
  await writeFile(join(outdir, 'package.json'), '{"type":"module"}\n');
  await writeFile(join(outdir, 'packages.json'), `${JSON.stringify(names, null, 2)}\n`);
  await rm(join(outdir, 'compiled'), { recursive: true, force: true, maxRetries: 5 });
  const current = new Set(outputFiles.map(({ path }) => path));
  for (const name of await readdir(join(outdir, 'chunks'))) {
    const path = join(outdir, 'chunks', name);
    if (!current.has(path) && Date.now() - (await stat(path)).mtimeMs > staleAfterMs) await rm(path, { force: true });
  }
}

if (import.meta.main) {
  await bundle();
  process.stderr.write('built dist/sluice.js\n');
}
