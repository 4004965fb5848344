import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** A layer that Flux cannot extract; the message is Flux's. */
export class UnpackError extends Error {}

const ascii = (block: Uint8Array, from: number, length: number) =>
  Buffer.from(block.subarray(from, from + length))
    .toString('utf8')
    .replace(/\0[^]*$/, '');
const octal = (block: Uint8Array, from: number, length: number) =>
  Number.parseInt(ascii(block, from, length).trim() || '0', 8);

interface Entry {
  readonly name: string;
  readonly flag: string;
  readonly mode: number;
  readonly content: Uint8Array;
}

function paxPath(content: Uint8Array): string | null {
  return /(?:^|\n)\d+ path=([^\n]*)\n/.exec(Buffer.from(content).toString('utf8'))?.[1] ?? null;
}

/** Entries of an uncompressed tar, as Go's archive/tar gives them. Throws `UnpackError`. */
function readTar(bytes: Uint8Array): readonly Entry[] {
  const entries: Entry[] = [];
  let longName: string | null = null;
  let at = 0;
  while (at + 512 <= bytes.length) {
    const block = bytes.subarray(at, at + 512);
    if (block.every((byte) => byte === 0)) return entries;
    const sum = block.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
    if (sum !== octal(block, 148, 8)) throw new UnpackError('tar error: archive/tar: invalid tar header');
    const size = octal(block, 124, 12);
    if (at + 512 + size > bytes.length) throw new UnpackError('tar error: unexpected EOF');
    const content = bytes.subarray(at + 512, at + 512 + size);
    const flag = String.fromCharCode(block[156] ?? 0).replace('\0', '0');
    const prefix = ascii(block, 257, 5) === 'ustar' && block[263] === 0x30 ? ascii(block, 345, 155) : '';
    const plain = ascii(block, 0, 100);
    at += 512 + Math.ceil(size / 512) * 512;
    if (flag === 'L') longName = Buffer.from(content).toString('utf8').replace(/\0.*$/, '');
    else if (flag === 'x') longName = paxPath(content) ?? longName;
    else {
      const name = longName ?? (prefix === '' ? plain : `${prefix}/${plain}`);
      entries.push({ name: flag === 'g' ? 'pax_global_header' : name, flag, mode: octal(block, 100, 8), content });
      longName = null;
    }
  }
  if (entries.length === 0 || at !== bytes.length) throw new UnpackError('tar error: unexpected EOF');
  return entries;
}

const special: Readonly<Record<string, string>> = { '3': 'c', '4': 'b', '6': 'p' };

/**
 * Extracts a gzipped tar as fluxcd/pkg/tar does: symbolic links are skipped, hard links and global headers become empty
 * files, devices and pipes fail, names that leave the folder fail. Throws `UnpackError`.
 */
export async function unpack(layer: Uint8Array, folder: string): Promise<void> {
  if (layer[0] !== 0x1f || layer[1] !== 0x8b)
    throw new UnpackError('requires gzip-compressed body: gzip: invalid header');
  let bytes: Uint8Array;
  try {
    bytes = gunzipSync(layer);
  } catch {
    throw new UnpackError('tar error: unexpected EOF');
  }
  for (const { name, flag, mode, content } of readTar(bytes)) {
    if (name === '' || name.startsWith('/') || name.includes('\\') || name.includes('../')) {
      throw new UnpackError(`tar contained invalid name error ${JSON.stringify(name)}`);
    }
    const path = join(folder, name);
    if (flag === '5') await mkdir(path, { recursive: true, mode: 0o750 });
    else if (flag in special) {
      throw new UnpackError(`tar file entry ${name} contained unsupported file type ${special[flag]}rw-r--r--`);
    } else if (flag !== '2') {
      await mkdir(dirname(path), { recursive: true, mode: 0o750 });
      await writeFile(path, flag === '0' ? content : new Uint8Array(), { mode: (mode & 0o100) === 0 ? 0o600 : 0o700 });
    }
  }
}
