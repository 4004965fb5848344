import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { Fault } from '../fault.ts';
import type { Files } from '../systems/files.ts';
import { annotationNames, mediaTypes } from './describe.ts';

/** An image of a layout, every blob checked against its digest. */
export interface LayoutImage {
  /** Manifest digest. */
  readonly digest: string;
  /** sha256 of the uncompressed layer, computed. */
  readonly contentDigest: string;
  readonly revision: string | null;
}

/**
 * Reads one image of an OCI image layout that `writeLayout` wrote; `mostBytes` bounds the uncompressed layer. Faults
 * `file_missing` (no layout, no such ref name), `file_unreadable` (damaged, or not one of ours).
 */
export async function readLayout(
  files: Files,
  folder: string,
  refName: string,
  mostBytes: number,
): Promise<LayoutImage> {
  const index = await files.read(`${folder}/index.json`);
  if (!index) throw missing(`${folder} holds no OCI image layout`);
  const damaged = (why: string) => new Fault('file_unreadable', `${folder}: ${why}`);
  const parse = (content: Uint8Array): unknown => {
    try {
      return JSON.parse(Buffer.from(content).toString());
    } catch {
      throw damaged('is damaged: no JSON where there should be');
    }
  };
  const blob = async (digest: string) => {
    if (!/^sha256:[0-9a-f]{64}$/.test(digest)) throw damaged(`names ${digest}, which is no digest`);
    const content = await files.read(`${folder}/blobs/${digest.replace(':', '/')}`);
    if (!content || digestOf(content) !== digest) throw damaged(`blob ${digest} is missing or damaged`);
    return content;
  };
  const { manifests = [] } = parse(index) as {
    manifests?: { digest: string; annotations?: Record<string, string> }[];
  };
  const named = manifests.find((one) => one.annotations?.['org.opencontainers.image.ref.name'] === refName);
  if (!named) throw missing(`${folder} holds no image named ${refName}`);
  const manifest = parse(await blob(named.digest)) as {
    config?: { digest: string; mediaType: string };
    layers?: { digest: string; mediaType: string }[];
    annotations?: Record<string, string>;
  };
  const [layer, ...more] = manifest.layers ?? [];
  if (!layer || more.length > 0 || layer.mediaType !== mediaTypes.content || !manifest.config) {
    throw damaged('is no artifact of ours: one layer of Flux’s media type is expected');
  }
  await blob(manifest.config.digest);
  const compressed = await blob(layer.digest);
  let content: Uint8Array;
  try {
    content = gunzipSync(compressed, { maxOutputLength: mostBytes });
  } catch {
    throw damaged(`layer ${layer.digest} is no gzip, or larger than ${mostBytes} bytes`);
  }
  return {
    digest: named.digest,
    contentDigest: digestOf(content),
    revision: manifest.annotations?.[annotationNames.revision] ?? null,
  };
}

function missing(message: string): Fault {
  return new Fault('file_missing', message, {
    hint: 'Write it with `sluice publish --oci-layout DIR` at the same commit, for the same environment and app.',
  });
}

function digestOf(content: Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}
