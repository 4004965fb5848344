import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { gunzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { unpackTar } from 'modern-tar';
import { describe, expect, test } from 'vitest';
import { archive, contentDigest, type HeldFile } from '../../src/artifact/archive.ts';
import { writeLayout } from '../../src/artifact/layout.ts';
import { localFiles } from '../../src/systems/files-local.ts';

const file = (path: string, text = path, executable = false): HeldFile => ({
  path,
  executable,
  content: Buffer.from(text),
});

const bytewise = (files: HeldFile[]) => files.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));

async function tarOf(files: HeldFile[]): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive(files)) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

const corpus = bytewise([
  file('apps/podinfo/kustomization.yaml', 'resources: [a.yaml]\n'),
  file('apps/podinfo/run.sh', '#!/bin/sh\n', true),
  file('apps/podinfo/empty', ''),
  file('apps/Podinfo/upper.yaml'),
  file('apps/podinfo-b/before-slash.yaml'),
  file('apps/ä/öü.yaml'),
  file('apps/with space/a b.yaml'),
  file('apps/-dash/-n.yaml'),
  file(`apps/${'long/'.repeat(25)}name-over-100.yaml`),
  file(`apps/${'x'.repeat(200)}/${'y'.repeat(200)}.yaml`),
  file('apps/block', 'z'.repeat(512)),
  file('apps/blocks', 'z'.repeat(1025)),
  file('apps/😀/after-bmp'),
  file('apps/\uffee/before-😀-in-bytes'),
]);

describe('archive', () => {
  test('keeps its bytes: the content digest of a fixed tree', async () => {
    const golden = JSON.parse(
      await readFile(join(import.meta.dirname, '../golden/content-digests.json'), 'utf8'),
    ) as Record<string, string>;
    expect(await contentDigest(archive(corpus))).toBe(golden['names and modes']);
  });

  test('is read by another library and by GNU tar, names, modes and contents alike', async () => {
    const tar = await tarOf(corpus);
    const entries = await unpackTar(tar);
    expect(entries[0]?.header).toMatchObject({ name: '.', type: 'directory', mode: 0o755, uid: 0, gid: 0 });
    const files = entries.filter((entry) => entry.header.type === 'file');
    expect(files.map((entry) => entry.header.name)).toEqual(corpus.map(({ path }) => path));
    expect(files.map((entry) => Buffer.from(entry.data ?? []).toString())).toEqual(
      corpus.map(({ content }) => Buffer.from(content).toString()),
    );
    expect(new Set(entries.map((entry) => entry.header.mtime?.getTime()))).toEqual(new Set([0]));
    expect(files.filter((entry) => entry.header.mode === 0o755).map((entry) => entry.header.name)).toEqual([
      'apps/podinfo/run.sh',
    ]);

    await using folder = await scratch();
    execFileSync('tar', ['-xf', '-', '-C', folder.path], { input: tar });
    for (const { path, content } of corpus)
      expect(await readFile(join(folder.path, path))).toEqual(Buffer.from(content));
  });

  test('any names round-trip', async () => {
    const segment = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 120 })
      .filter((text) => !/[/\0]|^\.\.?$/.test(text) && text.isWellFormed());
    const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(path, {
          maxLength: 8,
          comparator: (a, b) => a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`),
        }),
        async (paths) => {
          const files = bytewise(paths.map((name) => file(name)));
          const names = (await unpackTar(await tarOf(files)))
            .filter((entry) => entry.header.type === 'file')
            .map((entry) => entry.header.name);
          expect(names).toEqual(files.map((one) => one.path));
        },
      ),
    );
  });

  test('folders come once, before what is in them', async () => {
    const names = (
      await unpackTar(await tarOf(bytewise([file('a/b/c'), file('a/b/d'), file('a-b'), file('a/e')])))
    ).map(({ header }) => header.name.replace(/\/$/, ''));
    expect(names).toEqual(['.', 'a-b', 'a', 'a/b', 'a/b/c', 'a/b/d', 'a/e']);
  });
});

describe('layout', () => {
  const description = {
    title: 'podinfo',
    revision: `main@sha1:${'a'.repeat(40)}`,
    source: 'https://gitlab.example.com/shop/delivery',
    createdAt: 1_700_000_000,
  };

  test('describes the artifact in Flux’s media types; every blob has the digest of its name', async () => {
    await using folder = await scratch();
    const layout = await writeLayout(localFiles(folder.path, tmpdir()), 'out', corpus, description, ['staging']);
    const read = (digest: string) => readFile(join(folder.path, 'out/blobs', digest.replace(':', '/')));
    const index = JSON.parse(await readFile(join(folder.path, 'out/index.json'), 'utf8'));
    expect(index.manifests[0]).toMatchObject({
      digest: layout.digest,
      annotations: { 'org.opencontainers.image.ref.name': 'staging' },
    });
    const manifest = JSON.parse((await read(layout.digest)).toString());
    expect(manifest).toEqual({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: {
        mediaType: 'application/vnd.cncf.flux.config.v1+json',
        size: expect.any(Number),
        digest: expect.any(String),
      },
      layers: [
        { mediaType: 'application/vnd.cncf.flux.content.v1.tar+gzip', size: layout.size, digest: expect.any(String) },
      ],
      annotations: {
        'app.sluice.content-digest': layout.contentDigest,
        'org.opencontainers.image.created': '2023-11-14T22:13:20Z',
        'org.opencontainers.image.revision': description.revision,
        'org.opencontainers.image.source': description.source,
        'org.opencontainers.image.title': 'podinfo',
      },
    });
    for (const { digest, size } of [manifest.config, manifest.layers[0]]) {
      const blob = await read(digest);
      expect(`sha256:${createHash('sha256').update(blob).digest('hex')}`).toBe(digest);
      expect(blob.byteLength).toBe(size);
    }
    const layer = await read(manifest.layers[0].digest);
    expect([...layer.subarray(0, 10)]).toEqual([31, 139, 8, 0, 0, 0, 0, 0, 0, 255]);
    expect(gunzipSync(layer)).toEqual(await tarOf(corpus));
  });

  test('the same commit gives the same manifest, wherever and whenever it is written', async () => {
    await using folder = await scratch();
    const files = localFiles(folder.path, tmpdir());
    const before = process.umask(0);
    const first = await writeLayout(files, 'first', corpus, description, ['x']);
    process.umask(0o077);
    const second = await writeLayout(files, 'second', corpus, description, ['y']);
    process.umask(before);
    expect(second).toEqual(first);
  });
});

async function scratch() {
  const path = await mkdtemp(join(tmpdir(), 'sluice-archive-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}
