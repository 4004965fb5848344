import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');

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
