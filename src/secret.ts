import { inspect } from 'node:util';

/** A credential that cannot be printed: strings, JSON and inspection show `***`. Only `reveal` gives the value. */
export interface Secret {
  /** The value, for the one place that sends it. */
  reveal(): string;
  toString(): string;
  toJSON(): string;
}

/** Wraps a credential. */
export function secret(value: string): Secret {
  const hidden = () => '***';
  return Object.freeze(
    Object.defineProperties(
      { reveal: () => value, toString: hidden, toJSON: hidden },
      {
        reveal: { enumerable: false },
        toString: { enumerable: false },
        toJSON: { enumerable: false },
        [inspect.custom]: { value: hidden, enumerable: false },
      },
    ),
  );
}

/** The forms in which a credential may turn up in text: raw, URI-encoded, JSON-escaped, base64 (also inside "user:value"). */
export function leakForms(value: string): readonly string[] {
  const encode = (text: string, encoding: 'base64' | 'base64url') =>
    Buffer.from(text).toString(encoding).replace(/=+$/, '');
  const forms = [value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1)];
  // base64 of a longer text that contains the value: one form for each of the three alignments, without the edges.
  for (const encoding of ['base64', 'base64url'] as const) {
    for (const lead of [0, 1, 2]) {
      const text = encode('\0'.repeat(lead) + value, encoding);
      const inner = text.slice(lead === 0 ? 0 : lead + 1, Math.floor(((value.length + lead) * 8) / 6));
      if (inner.length >= 8) forms.push(inner);
    }
  }
  return [...new Set(forms.filter((form) => form.length >= 4))].toSorted((a, b) => b.length - a.length);
}
