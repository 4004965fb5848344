import { gunzipSync } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import type { Registry } from '../systems/registry.ts';
import type { HeldFile } from './archive.ts';
import type { Standing } from './standing.ts';

const LARGEST_LAYER = 64 * 1024 * 1024;
const LARGEST_CONTENT = 256 * 1024 * 1024;

/**
 * The files of the artifact that stands under a tag, as Flux unpacks them; null where they cannot be had: no layer, a
 * blob that is gone, damaged or larger than 64 MiB. One request; faults of `Registry`.
 */
export async function formerFiles(
  registry: Registry,
  repository: string,
  standing: Standing,
  signal?: AbortSignal,
): Promise<readonly HeldFile[] | null> {
  const { layer } = standing;
  if (!layer || layer.size > LARGEST_LAYER) return null;
  const blob = await registry.blob(repository, layer.digest, signal);
  if (!blob) return null;
  try {
    const entries = await unpackTar(gunzipSync(blob, { maxOutputLength: LARGEST_CONTENT }));
    return entries.flatMap(({ header, data }) => {
      const path = header.name.replace(/^(?:\.\/)+/, '');
      if (header.type !== 'file' || !isInside(path)) return [];
      return { path, executable: ((header.mode ?? 0) & 0o100) !== 0, content: data ?? new Uint8Array() };
    });
  } catch {
    return null;
  }
}

/** Somebody else's archive may name anything: only relative paths that stay below count. */
function isInside(path: string): boolean {
  return path !== '' && !path.startsWith('/') && !/[\\\0]/.test(path) && !path.split('/').includes('..');
}
