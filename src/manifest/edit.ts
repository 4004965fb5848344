import type { Edit } from './change.ts';

/**
 * The content with every edit done. Offsets count UTF-16 code units of the decoded text, a BOM included; edits may come
 * in any order but must not overlap (an Error otherwise, since that is a bug).
 */
export function applyEdits(content: Uint8Array, edits: readonly Edit[]): Uint8Array {
  if (edits.length === 0) return content;
  return new TextEncoder().encode(spliceText(rawText(content), edits));
}

/** The text that offsets of edits count in: a BOM stays. A TypeError where it is not UTF-8, since that is never edited. */
export function rawText(content: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
}

/** As `applyEdits`, for text. */
export function spliceText(text: string, edits: readonly Edit[]): string {
  const parts: string[] = [];
  let at = 0;
  for (const edit of edits.toSorted((one, other) => one.start - other.start || one.end - other.end)) {
    if (edit.start < at || edit.end < edit.start || edit.end > text.length) throw new Error('edits overlap');
    parts.push(text.slice(at, edit.start), edit.text);
    at = edit.end;
  }
  return parts.join('') + text.slice(at);
}

/** A stretch of the text before, or text that takes its place. */
type Piece = { readonly start: number; readonly end: number } | { readonly text: string };

/** The edits of `before` that come to the same as `first`, and then `second` on what `first` made of it. */
export function composeEdits(before: string, first: readonly Edit[], second: readonly Edit[]): readonly Edit[] {
  const middle = piecesOf(before.length, first);
  const last = piecesOf(lengthOf(middle), second);
  const pieces: Piece[] = [];
  let index = 0;
  let begins = 0;
  for (const piece of last) {
    if ('text' in piece) {
      pieces.push(piece);
      continue;
    }
    while (index < middle.length) {
      const source = middle[index]!;
      const ends = begins + sizeOf(source);
      const [from, to] = [Math.max(begins, piece.start) - begins, Math.min(ends, piece.end) - begins];
      if (from < to) {
        pieces.push(
          'text' in source
            ? { text: source.text.slice(from, to) }
            : { start: source.start + from, end: source.start + to },
        );
      }
      if (ends > piece.end) break;
      begins = ends;
      index += 1;
    }
  }
  return editsOf(before, pieces);
}

function sizeOf(piece: Piece): number {
  return 'text' in piece ? piece.text.length : piece.end - piece.start;
}

function lengthOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, piece) => sum + sizeOf(piece), 0);
}

function piecesOf(length: number, edits: readonly Edit[]): readonly Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const edit of edits.toSorted((one, other) => one.start - other.start || one.end - other.end)) {
    pieces.push({ start: at, end: edit.start }, { text: edit.text });
    at = edit.end;
  }
  return [...pieces, { start: at, end: length }];
}

function editsOf(before: string, pieces: readonly Piece[]): readonly Edit[] {
  const edits: Edit[] = [];
  let at = 0;
  let text = '';
  for (const piece of [...pieces, { start: before.length, end: before.length }]) {
    if ('text' in piece) {
      text += piece.text;
      continue;
    }
    if (before.slice(at, piece.start) !== text) edits.push({ start: at, end: piece.start, text });
    at = piece.end;
    text = '';
  }
  return edits;
}
