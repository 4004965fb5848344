import { Fault } from '../../fault.ts';
import type { Place } from '../../fault.ts';
import type { Edit } from '../change.ts';

/** One value of a key=value file. */
export interface PairValue {
  readonly key: string;
  readonly value: string;
  /** Range of the value in the text, quotes excluded. */
  readonly start: number;
  readonly end: number;
  readonly quote: '"' | "'" | '';
}

const line = /^[ \t]*(?:export[ \t]+)?([A-Za-z_.][A-Za-z0-9_./-]*)[ \t]*=([ \t]*)(.*?)[ \t]*$/;

/** Does every line that is neither empty nor a comment read as `key=value`? */
export function isPairs(text: string): boolean {
  const lines = text.split(/\r?\n/).filter((each) => !/^\s*(?:[#!;].*)?$/.test(each.replace(/^\uFEFF/, '')));
  return lines.length > 0 && lines.every((each) => line.test(each.replace(/^\uFEFF/, '')));
}

/** The value in quotes, or up to a comment; the comment is not the value's, though `configMapGenerator.envs` takes it. */
const parts = /^(?:(["'])((?:(?!\1).)*)\1(?=$|[ \t]+#)|((?:(?![ \t]+#).)*))/;

/** The values of a key=value file: everything after the first `=`, without quotes around it and a comment behind it. */
export function readPairs(text: string): readonly PairValue[] {
  const found: PairValue[] = [];
  let at = text.startsWith('\uFEFF') ? 1 : 0;
  while (at < text.length) {
    const next = text.indexOf('\n', at);
    const stop = next === -1 ? text.length : next;
    const raw = text.slice(at, stop).replace(/\r$/, '');
    const match = /^\s*[#!;]/.test(raw) ? null : line.exec(raw);
    if (match) {
      const [, key, gap, rest] = match;
      const commented = gap !== '' && rest!.startsWith('#');
      const start = at + raw.indexOf('=') + 1 + (commented ? 0 : gap!.length);
      const [, quote = '', quoted, bare] = parts.exec(commented ? '' : rest!)!;
      const value = quoted ?? bare!;
      found.push({
        key: key!,
        value,
        start: start + quote.length,
        end: start + quote.length + value.length,
        quote: quote as PairValue['quote'],
      });
    }
    at = stop + 1;
  }
  return found;
}

/** Edit that sets a value; the value that stands there always fits. Fault `edit_refused` where the form cannot hold it. */
export function setPair(pair: PairValue, value: string, place: Place): Edit {
  if (value === pair.value) return { start: pair.start, end: pair.end, text: value };
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001F\u007F]/.test(value) || value !== value.trim()) {
    throw new Fault('edit_refused', `${pair.key}: a key=value file cannot hold this value`, { place });
  }
  if (pair.quote !== '' && (value.includes(pair.quote) || (pair.quote === '"' && /[\\$`]/.test(value)))) {
    throw new Fault('edit_refused', `${pair.key}: the value cannot stand in ${pair.quote}`, { place });
  }
  if (pair.quote === '' && /^["'#]|[ \t]#/.test(value)) {
    throw new Fault('edit_refused', `${pair.key}: the value would read as quoted, or as a comment`, { place });
  }
  return { start: pair.start, end: pair.end, text: value };
}
