import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { packTar } from 'modern-tar';
import { binaryPath } from '../../scripts/binaries.mjs';

const run = promisify(execFile);

/** Media types of config and layer: of Flux, and of Helm charts. */
const fluxTypes = {
  config: 'application/vnd.cncf.flux.config.v1+json',
  layer: 'application/vnd.cncf.flux.content.v1.tar+gzip',
};
export const helmTypes = {
  config: 'application/vnd.cncf.helm.config.v1+json',
  layer: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip',
};

/** What is pushed. */
export interface Push {
  /** Working folder for layouts. */
  readonly folder: string;
  /** "host:port/path". */
  readonly repository: string;
  readonly tag: string;
  /** Relative path → text; or the layer's bytes as they are. */
  readonly files: Readonly<Record<string, string>> | Uint8Array;
  readonly types?: { readonly config: string; readonly layer: string };
  readonly config?: object;
  readonly annotations?: Readonly<Record<string, string>>;
  /** More arguments for `oras cp`, e.g. a credentials file. */
  readonly orasArguments?: readonly string[];
}

/** Writes an OCI layout and pushes it with ORAS over plain HTTP; rejects with ORAS's own text. */
export async function pushArtifact(push: Push): Promise<{ readonly digest: string }> {
  const { layout, digest } = await writeLayout(push);
  const args = [
    'cp',
    '--from-oci-layout',
    `${layout}:x`,
    '--to-plain-http',
    ...(push.orasArguments ?? []),
    `${push.repository}:${push.tag}`,
  ];
  await run(binaryPath('oras'), args, { env: { PATH: process.env['PATH'], HOME: push.folder } });
  return { digest };
}

async function writeLayout({ folder, files, types = fluxTypes, config, annotations }: Push) {
  mkdirSync(folder, { recursive: true });
  const layout = mkdtempSync(join(folder, 'layout-'));
  const blobs = join(layout, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  const put = (bytes: Uint8Array) => {
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(blobs, hex), bytes);
    return { digest: `sha256:${hex}`, size: bytes.length };
  };
  const layer = files instanceof Uint8Array ? files : gzipSync(await tar(files));
  const manifestType = 'application/vnd.oci.image.manifest.v1+json';
  const emptyConfig = {
    created: '1970-01-01T00:00:00Z',
    architecture: '',
    os: '',
    config: {},
    rootfs: { type: 'layers', diff_ids: [] },
  };
  const manifest = put(
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: manifestType,
        config: { mediaType: types.config, ...put(Buffer.from(JSON.stringify(config ?? emptyConfig))) },
        layers: [{ mediaType: types.layer, ...put(layer) }],
        ...(annotations ? { annotations } : {}),
      }),
    ),
  );
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const entry = { mediaType: manifestType, ...manifest, annotations: { 'org.opencontainers.image.ref.name': 'x' } };
  writeFileSync(
    join(layout, 'index.json'),
    JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [entry] }),
  );
  return { layout, digest: manifest.digest };
}

function tar(files: Readonly<Record<string, string>>): Promise<Uint8Array> {
  return packTar(
    Object.entries(files)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, body]) => ({
        header: { name, size: Buffer.byteLength(body), type: 'file' as const, mode: 0o644, mtime: new Date(0) },
        body,
      })),
  );
}
