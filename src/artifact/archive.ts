import { createHash } from 'node:crypto';

/** A file to archive: its path and content. */
export interface ArchiveFile {
  readonly path: string;
  readonly executable: boolean;
  readonly content: Uint8Array;
}

const BLOCK = 512;

/**
 * A tar of the files, which must come sorted bytewise by path: the root as `.`, folders before what is in them, mode 0755
 * for folders and executables and 0644 for the rest, no owner, no time. The same files give the same bytes on any
 * machine. Names that are longer than 100 bytes or not ASCII go into a pax header.
 */
export async function* archive(
  files: AsyncIterable<ArchiveFile> | Iterable<ArchiveFile>,
): AsyncGenerator<Uint8Array, void, void> {
  yield header('.', 0, 0o755, '5');
  const folders = new Set<string>();
  for await (const file of files) {
    for (const folder of foldersOf(file.path)) {
      if (folders.has(folder)) continue;
      folders.add(folder);
      yield* entry(folder, 0, 0o755, '5');
    }
    const size = file.content.byteLength;
    yield* entry(file.path, size, file.executable ? 0o755 : 0o644, '0');
    if (size > 0) yield file.content;
    if (size % BLOCK !== 0) yield new Uint8Array(BLOCK - (size % BLOCK));
  }
  yield new Uint8Array(2 * BLOCK);
}

/** sha256 of the chunks, as `sha256:<hex>`: an artifact's identity, when they are its tar. */
export async function contentDigest(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of chunks) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}

function* entry(path: string, size: number, mode: number, type: string): Generator<Uint8Array> {
  const name = Buffer.from(path);
  if (name.byteLength > 100 || /[^\x20-\x7e]/.test(path)) {
    const record = paxRecord('path', name);
    // Readers take the name from the record; the field holds what fits, for those that do not know pax.
    yield header('././@PaxHeader', record.byteLength, 0o644, 'x');
    yield record;
    if (record.byteLength % BLOCK !== 0) yield new Uint8Array(BLOCK - (record.byteLength % BLOCK));
  }
  yield header(name.subarray(0, 100), size, mode, type);
}

/** `<length> <key>=<value>\n`, where the length counts itself. */
function paxRecord(key: string, value: Uint8Array): Uint8Array {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.byteLength + 1;
  while (String(length).length + rest.byteLength !== length) length = String(length).length + rest.byteLength;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function header(name: string | Uint8Array, size: number, mode: number, type: string): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  block.set(typeof name === 'string' ? Buffer.from(name) : name, 0);
  const octal = (value: number, at: number, length: number) =>
    block.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1');
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  block.fill(' ', 148, 156);
  block.write(type, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  octal(0, 329, 8);
  octal(0, 337, 8);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function foldersOf(path: string): readonly string[] {
  const segments = path.split('/').slice(0, -1);
  return segments.map((_, index) => segments.slice(0, index + 1).join('/'));
}
