import { execFile } from 'node:child_process';
import { cpSync, existsSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { binaryPath } from '../../scripts/binaries.mjs';
import type { Kube } from './kube.ts';
import { until } from './until.ts';

const run = promisify(execFile);
const wrappers = join(dirname(fileURLToPath(import.meta.url)), 'wrap');

/**
 * Folder with the custom resource definitions of a controller, of exactly the version that was built: taken from its
 * module in Go's module cache and kept beside the binary. Go downloads the module when its cache has been emptied.
 */
async function customResources(controller: string): Promise<string> {
  const kept = join(dirname(binaryPath(controller)), 'crds');
  if (existsSync(kept)) return kept;
  const args = ['mod', 'download', '-json', `github.com/fluxcd/${controller}`];
  const { stdout } = await run('go', args, {
    cwd: join(wrappers, controller),
    env: { ...process.env, GOWORK: 'off', GOFLAGS: '-mod=readonly' },
  });
  const module = JSON.parse(stdout) as { Dir: string };
  const staging = `${kept}.${process.pid}`;
  cpSync(join(module.Dir, 'config', 'crd', 'bases'), staging, { recursive: true, mode: 0 });
  try {
    renameSync(staging, kept);
  } catch (error) {
    rmSync(staging, { recursive: true, force: true });
    if (!existsSync(kept)) throw error;
  }
  return kept;
}

/** Applies the definitions of all controllers and waits until the API server serves them. */
export async function applyCustomResources(kube: Kube, controllers: readonly string[]): Promise<void> {
  const folders = await Promise.all(controllers.map(customResources));
  const texts = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => readFileSync(join(folder, name), 'utf8')),
  );
  await Promise.all(texts.map((text) => kube.apply(text)));
  const names = texts.map((text) => (parse(text) as { metadata: { name: string } }).metadata.name);
  await until('the custom resources', async () => {
    const list = await kube.get<{ items: Definition[] }>('/apis/apiextensions.k8s.io/v1/customresourcedefinitions');
    const established = list.items.filter((item) =>
      item.status?.conditions?.some((condition) => condition.type === 'Established' && condition.status === 'True'),
    );
    return names.every((name) => established.some((item) => item.metadata.name === name));
  });
}

interface Definition {
  readonly metadata: { readonly name: string };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}
