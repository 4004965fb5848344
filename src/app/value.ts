import { Fault } from '../fault.ts';
import type { ValueChange } from './change.ts';

/**
 * Splits `PATH=VALUE` at the first `=` outside brackets and quotes, so that `containers[name=api].image=x` works.
 * A JSON Pointer (`/a/b`) ends at the first `=`. Fault `usage` where there is no `=`.
 */
export function parseAssignment(text: string): { readonly path: string; readonly value: string } {
  let depth = 0;
  let opened = 0;
  let quoted = false;
  const pointer = text.startsWith('/');
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (!pointer && depth > 0 && character === '\\') index += 1;
    else if (!pointer && depth > 0 && character === '"') quoted = !quoted;
    else if (!pointer && !quoted && character === '[') {
      depth += 1;
      opened = index;
    } else if (!pointer && !quoted && character === ']') depth -= 1;
    else if (character === '=' && depth === 0) return { path: text.slice(0, index), value: text.slice(index + 1) };
  }
  const problem = depth > 0 ? `, character ${opened + 1}: the bracket is not closed` : ' is not PATH=VALUE';
  throw new Fault('usage', `${JSON.stringify(text)}${problem}`, {
    hint: 'Write e.g. --set /spec/replicas=3 or --set spec.values.image.tag=1.2.3.',
  });
}

/** Reads `FILE:PATH=VALUE`, as in `update --set`. Fault `usage`. */
export function parseValueFlag(text: string): ValueChange {
  const colon = text.indexOf(':');
  if (colon < 1) {
    throw new Fault('usage', `${JSON.stringify(text)} is not FILE:PATH=VALUE`, {
      hint: 'Write e.g. --set values.yaml:/replicas=3; FILE is inside the app’s path.',
    });
  }
  return { file: text.slice(0, colon), ...parseAssignment(text.slice(colon + 1)) };
}
