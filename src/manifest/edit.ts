import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff';
import type { Edit } from './change.ts';

/**
 * The content with every edit done. Offsets count UTF-16 code units of the decoded text, a BOM included; edits may come
 * in any order but must not overlap (an Error otherwise, since that is a bug).
 */
export function applyEdits(content: Uint8Array, edits: readonly Edit[]): Uint8Array {
  if (edits.length === 0) return content;
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  return new TextEncoder().encode(spliceText(text, edits));
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

/** Unified diff of one file as git shows it (three lines of context; `./` and `/` before the path left out); '' where nothing differs. */
export function unifiedDiff(path: string, before: Uint8Array, after: Uint8Array): string {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const [old, now] = [decoder.decode(before), decoder.decode(after)];
  if (old === now) return '';
  const shown = path.replace(/^(?:\.?\/)+/, '');
  const body = createTwoFilesPatch(`a/${shown}`, `b/${shown}`, old, now, undefined, undefined, {
    context: 3,
    stripTrailingCr: false,
    headerOptions: FILE_HEADERS_ONLY,
  });
  return `diff --git a/${shown} b/${shown}\n${body}`;
}
