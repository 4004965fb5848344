import { createHash } from 'node:crypto';

/** A file to archive: its path and content, whole or (where it is large) as a stream of so many bytes. */
export interface ArchiveFile {
  readonly path: string;
  readonly executable: boolean;
  readonly content: Uint8Array | ContentStream;
}

/** A file whose content is at hand. */
export interface HeldFile extends ArchiveFile {
  readonly content: Uint8Array;
}

/** Content that is read once. */
export interface ContentStream {
  readonly size: number;
  chunks(): AsyncIterable<Uint8Array>;
}

const BLOCK = 512;
const SMALLEST = 8 * 1024;
const LARGEST = 512 * 1024;

/**
 * A tar of the files, which must come sorted bytewise by path: the root as `.`, folders before what is in them, mode 0755
 * for folders and executables and 0644 for the rest, no owner, no time. The same files give the same bytes on any
 * machine, in few large pieces, each of which holds until the next but one is asked for. Names that are longer than 100
 * bytes or not ASCII go into a pax header.
 */
export async function* archive(
  files: AsyncIterable<ArchiveFile> | Iterable<ArchiveFile>,
): AsyncGenerator<Uint8Array, void, void> {
  const gather = pieces();
  yield* gather(header('.', 0, 0o755, '5'));
  const folders = new Set<string>();
  for await (const { path, executable, content } of files) {
    const size = content instanceof Uint8Array ? content.byteLength : content.size;
    const headers = foldersOf(path, folders).map((folder) => entry(folder, 0, 0o755, '5'));
    headers.push(entry(path, size, executable ? 0o755 : 0o644, '0'));
    for (const bytes of headers) for (const piece of gather(bytes)) yield piece;
    if (content instanceof Uint8Array) for (const piece of gather(content)) yield piece;
    else for await (const chunk of content.chunks()) for (const piece of gather(chunk)) yield piece;
    for (const piece of gather(padding(size))) yield piece;
  }
  for (const piece of gather(new Uint8Array(2 * BLOCK))) yield piece;
  for (const piece of gather(null)) yield piece;
}

/** Gathers bytes into large pieces, since each piece costs those who take it a round trip; null: that was all. */
function pieces(): (bytes: Uint8Array | null) => Generator<Uint8Array, void, void> {
  // Two that take turns: fresh memory for each would only be given back when much of it has gathered.
  let piece: Buffer = Buffer.allocUnsafeSlow(SMALLEST);
  let other: Buffer | null = null;
  let filled = 0;
  return function* gather(bytes) {
    if (bytes === null) {
      if (filled > 0) yield piece.subarray(0, filled);
      return;
    }
    for (let at = 0; at < bytes.byteLength;) {
      const part = bytes.subarray(at, at + piece.byteLength - filled);
      piece.set(part, filled);
      at += part.byteLength;
      filled += part.byteLength;
      if (filled < piece.byteLength) continue;
      yield piece;
      const next = other ?? Buffer.allocUnsafeSlow(Math.min(8 * piece.byteLength, LARGEST));
      other = piece.byteLength === LARGEST ? piece : null;
      piece = next;
      filled = 0;
    }
  };
}

/** Zeros up to the next block. */
function padding(size: number): Uint8Array {
  return new Uint8Array(size % BLOCK === 0 ? 0 : BLOCK - (size % BLOCK));
}

/** sha256 of the chunks, as `sha256:<hex>`: an artifact's identity, when they are its tar. */
export async function contentDigest(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of chunks) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}

/** The header of an entry, with a pax header before it where the name needs one. */
function entry(path: string, size: number, mode: number, type: string): Uint8Array {
  const name = Buffer.from(path);
  const own = header(name.subarray(0, 100), size, mode, type);
  if (name.byteLength <= 100 && !/[^\x20-\x7e]/.test(path)) return own;
  const record = paxRecord('path', name);
  // Readers take the name from the record; the field holds what fits, for those that do not know pax.
  const first = header('././@PaxHeader', record.byteLength, 0o644, 'x');
  return Buffer.concat([first, record, padding(record.byteLength), own]);
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

/** The folders above a path that have not been seen yet, outermost first. */
function foldersOf(path: string, seen: Set<string>): readonly string[] {
  const folders: string[] = [];
  for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
    const folder = path.slice(0, slash);
    if (seen.has(folder)) break;
    seen.add(folder);
    folders.unshift(folder);
  }
  return folders;
}
