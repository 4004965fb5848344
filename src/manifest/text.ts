import { Fault } from '../fault.ts';
import type { Place } from '../fault.ts';

/** Larger files are refused: Kubernetes takes objects of 1.5 MB, and parsing 50 MB of YAML takes gigabytes. */
const largestFile = 10 * 1024 * 1024;

/**
 * The text of a file, with its BOM where it has one. Fault `manifest_unparsable` for anything but UTF-8,
 * `too_large` above 10 MiB.
 */
export function decodeText(path: string, content: Uint8Array): string {
  const place = { file: path, line: 1, column: 1 };
  if (content.byteLength > largestFile) {
    const size = (content.byteLength / 1024 / 1024).toFixed(1);
    throw new Fault('too_large', `${size} MiB; at most 10 MiB can be edited`, {
      place: { file: path },
      hint: 'Split the file, or leave it out.',
    });
  }
  if ((content[0] === 0xff && content[1] === 0xfe) || (content[0] === 0xfe && content[1] === 0xff)) {
    throw new Fault('manifest_unparsable', 'the file is UTF-16; only UTF-8 can be edited', {
      place,
      hint: 'Save it as UTF-8: Kubernetes tools expect that too.',
    });
  }
  const zero = content.indexOf(0);
  if (zero !== -1) {
    throw new Fault('manifest_unparsable', 'the file holds a NUL byte: it is binary or UTF-16', {
      place: { file: path, ...lineAndColumn(content, zero) },
    });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    const offset = firstInvalid(content);
    throw new Fault('manifest_unparsable', 'the file is not UTF-8', {
      place: { file: path, ...lineAndColumn(content, offset) },
      hint: 'Save it as UTF-8.',
    });
  }
}

/** Offset of the first byte that is not UTF-8. */
function firstInvalid(content: Uint8Array): number {
  const lossy = new TextDecoder('utf-8', { ignoreBOM: true }).decode(content);
  const again = new TextEncoder().encode(lossy);
  let offset = 0;
  while (offset < content.length && content[offset] === again[offset]) offset += 1;
  return offset;
}

function lineAndColumn(content: Uint8Array, offset: number): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (let index = 0; index < offset; index += 1) {
    if (content[index] === 0x0a) {
      line += 1;
      start = index + 1;
    }
  }
  return { line, column: offset - start + 1 };
}

/** Turns offsets (UTF-16 code units) of one text into lines and columns. */
export function placesOf(path: string, text: string): (offset: number) => Required<Place> {
  let starts: number[] | null = null;
  return (offset) => {
    if (starts === null) {
      starts = [0];
      for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
    }
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    const bom = low === 0 && text.startsWith('\uFEFF') ? 1 : 0;
    return { file: path, line: low + 1, column: Math.max(1, offset - starts[low]! + 1 - bom) };
  };
}

/** The line break that the text uses (its first one). */
export function lineBreakOf(text: string): '\n' | '\r\n' {
  const at = text.indexOf('\n');
  return at > 0 && text[at - 1] === '\r' ? '\r\n' : '\n';
}

/** Do the bytes hold the text? A cheap look before a file is decoded and parsed. */
export function holdsText(content: Uint8Array, text: string): boolean {
  return Buffer.from(content.buffer, content.byteOffset, content.byteLength).includes(text);
}

/**
 * As `holdsText`, for an image name: no part of a longer name, as `web` is of `web-frontend` and `web/api`. A registry
 * may stand before it, and `.git` behind it.
 */
export function holdsName(content: Uint8Array, name: string): boolean {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const length = Buffer.byteLength(name);
  const is = (at: number, pattern: RegExp): boolean => at in bytes && pattern.test(String.fromCharCode(bytes[at]!));
  for (let at = bytes.indexOf(name); at !== -1; at = bytes.indexOf(name, at + 1)) {
    const end = at + length;
    const longer = is(end, /[\w-]/) || (is(end, /\//) && is(end + 1, /\w/));
    if (!longer && !is(at - 1, /[\w.-]/)) return true;
  }
  return false;
}
