import { Fault } from '../../fault.ts';
import type { Place } from '../../fault.ts';
import type { Edit } from '../change.ts';

/** The one line of a version file, a comment behind it left out; null where more than one line is not empty. */
export function readLine(
  text: string,
): { readonly value: string; readonly start: number; readonly end: number } | null {
  const match = /^(\uFEFF?\s*)([^\s#](?:(?![ \t]+#)[^\r\n])*?)[ \t]*(?:[ \t]#[^\r\n]*)?\s*$/.exec(text);
  if (!match) return null;
  const start = match[1]!.length;
  return { value: match[2]!, start, end: start + match[2]!.length };
}

/** Edit that replaces the line's text; white space around it stays. Fault `edit_refused` for a value of several lines. */
export function setLine(old: { readonly start: number; readonly end: number }, value: string, place: Place): Edit {
  // oxlint-disable-next-line no-control-regex
  if (value === '' || value !== value.trim() || /[\u0000-\u001F\u007F]/.test(value)) {
    throw new Fault('edit_refused', 'a version file holds one line of text', { place });
  }
  return { start: old.start, end: old.end, text: value };
}
