import { createHash } from 'node:crypto';
import { createGzip, type Gzip } from 'node:zlib';
import type { Files } from '../systems/files.ts';
import { archive, type ArchiveFile } from './archive.ts';
import { describeConfig, describeManifest, mediaTypes, type Description } from './describe.ts';

/** An OCI image layout with one image. */
export interface Layout {
  /** Manifest digest. */
  readonly digest: string;
  readonly contentDigest: string;
  /** Bytes of the compressed layer. */
  readonly size: number;
}

/**
 * Writes an OCI image layout (github.com/opencontainers/image-spec image-layout.md) to `folder`, with the image under
 * each of `refNames`. The layer streams through: memory does not grow with its size. Fault `file_unreadable` where the
 * disk is full or not writable.
 */
export async function writeLayout(
  files: Files,
  folder: string,
  content: AsyncIterable<ArchiveFile> | Iterable<ArchiveFile>,
  description: Omit<Description, 'contentDigest'>,
  refNames: readonly string[],
): Promise<Layout> {
  const tar = createHash('sha256');
  const compressed = createHash('sha256');
  let size = 0;
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const chunk of archive(content)) {
      tar.update(chunk);
      yield chunk;
    }
  }
  async function* layer(): AsyncGenerator<Uint8Array> {
    for await (const chunk of gzipped(hashed())) {
      compressed.update(chunk);
      size += chunk.byteLength;
      yield chunk;
    }
  }
  const staging = `${folder}/layer`;
  await files.writeStream(staging, layer());
  const blob = async (text: string) => {
    const digest = `sha256:${createHash('sha256').update(text).digest('hex')}`;
    await files.write(blobPath(folder, digest), text);
    return { digest, size: Buffer.byteLength(text) };
  };
  const contentDigest = `sha256:${tar.digest('hex')}`;
  const layerDigest = `sha256:${compressed.digest('hex')}`;
  await files.rename(staging, blobPath(folder, layerDigest));
  const described = { ...description, contentDigest };
  const config = await blob(describeConfig(described));
  const manifest = await blob(describeManifest(described, config, { digest: layerDigest, size }));
  await files.write(`${folder}/oci-layout`, JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  const manifests = refNames.map((name) => ({
    mediaType: mediaTypes.manifest,
    size: manifest.size,
    digest: manifest.digest,
    annotations: { 'org.opencontainers.image.ref.name': name },
  }));
  const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests };
  await files.write(`${folder}/index.json`, JSON.stringify(index));
  return { digest: manifest.digest, contentDigest, size };
}

/** gzip level 6 without name and time; the header's system byte is "unknown", as Go writes it, on every platform. */
export async function* gzipped(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gzip = createGzip({ level: 6, chunkSize: 128 * 1024 });
  const fed = feed(gzip, chunks);
  let offset = 0;
  for await (const chunk of gzip as AsyncIterable<Uint8Array>) {
    if (offset <= 9 && offset + chunk.byteLength > 9) chunk[9 - offset] = 255;
    offset += chunk.byteLength;
    yield chunk;
  }
  await fed;
}

/** One piece is compressed while the next is gathered; never more are held. */
async function feed(gzip: Gzip, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  let written = Promise.resolve();
  try {
    for await (const chunk of chunks) {
      await written;
      written = new Promise((resolve, reject) => gzip.write(chunk, (error) => (error ? reject(error) : resolve())));
      written.catch(() => undefined);
    }
    await written;
    gzip.end();
  } catch (error) {
    gzip.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

function blobPath(folder: string, digest: string): string {
  return `${folder}/blobs/${digest.replace(':', '/')}`;
}
