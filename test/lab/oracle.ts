import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { binaryPath } from '../../scripts/binaries.mjs';

const run = promisify(execFile);

/** Path → content as latin1, which keeps every byte. */
export type Files = Readonly<Record<string, string>>;

/** What Flux's own packages make of artifacts and folders, by the program in test/lab/oracle. */
export const oracle = {
  /** Pulls an artifact with Flux's OCI client; gives its files and what the client read from the manifest. */
  async pull(reference: string): Promise<{ readonly files: Files; readonly metadata: Record<string, unknown> }> {
    using folder = scratch();
    const text = await ask('pull', reference, folder.path);
    return { files: filesBelow(folder.path), metadata: JSON.parse(text) as Record<string, unknown> };
  },
  /** Unpacks a compressed layer with Flux's rules. */
  async untar(layer: Uint8Array): Promise<Files> {
    using folder = scratch();
    const file = join(folder.path, 'layer');
    writeFileSync(file, layer);
    const target = join(folder.path, 'files');
    mkdirSync(target);
    await ask('untar', file, target);
    return filesBelow(target);
  },
  /** The files that source-controller keeps of these. */
  async keep(files: Files): Promise<Files> {
    using folder = scratch();
    using kept = scratch();
    for (const [path, content] of Object.entries(files)) {
      const file = join(folder.path, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content, 'latin1');
    }
    await ask('keep', folder.path, kept.path);
    return filesBelow(kept.path);
  },
};

async function ask(...args: readonly [string, string, string]): Promise<string> {
  const { stdout } = await run(binaryPath('flux-oracle'), args, { env: { PATH: process.env['PATH'] } });
  return stdout;
}

function scratch() {
  const path = mkdtempSync(join(tmpdir(), 'sluice-oracle-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

function filesBelow(folder: string): Files {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(paths.sort().map((path) => [relative(folder, path), readFileSync(path, 'latin1')]));
}
