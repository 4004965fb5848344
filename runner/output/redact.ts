import { leakForms } from '../../src/secret.ts';

const MASK = '[MASKED]';

/**
 * The gate that all output passes: masks every known credential in its raw, URI-encoded, JSON-escaped and base64
 * forms, and the password of any URL. `known` may grow while the program runs.
 */
export function redactor(known: ReadonlySet<string>): (text: string) => string {
  let forms: readonly string[] = [];
  let size = -1;
  return (text) => {
    if (known.size !== size) {
      size = known.size;
      forms = [...new Set([...known].flatMap(leakForms))].toSorted((a, b) => b.length - a.length);
    }
    let clean = text;
    for (const form of forms) clean = clean.includes(form) ? clean.replaceAll(form, MASK) : clean;
    return clean.replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@"']*:)[^\s/@"']+@/gi, `$1${MASK}@`);
  };
}
