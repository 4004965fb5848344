import { checkDigest, checkName, checkTag, parseImage, readImage } from '../app/image.ts';
import { Fault } from '../fault.ts';
import { isDocument } from './path.ts';
import { isManifestPath } from './open.ts';
import { policiesIn } from './mention.ts';
import { findMarked, writeMarked } from './target/setter.ts';
import type { Marked } from './target/setter.ts';
import { holdsText } from './text.ts';
import { plannedWrites } from './work.ts';
import type { SetterChange, Work } from './work.ts';

const checks = { tag: checkTag, name: checkName, digest: checkDigest } as const;

/** Reads `NAMESPACE:POLICY[:tag|:name|:digest]=VALUE`, as in `--setter`. Faults `usage`, `image_reference`, with the position. */
export function parseSetterFlag(text: string): SetterChange {
  const wrong = (at: number, problem: string): never => {
    throw new Fault('usage', `setter ${JSON.stringify(text)}, character ${at + 1}: ${problem}`, {
      hint: 'Write NAMESPACE:POLICY[:tag|:name|:digest]=VALUE, e.g. --setter flux-system:podinfo:tag=1.2.3.',
    });
  };
  const equals = text.indexOf('=');
  if (equals === -1) return wrong(text.length, '"=" and the value are missing');
  const [namespace = '', policy = '', ...rest] = text.slice(0, equals).split(':');
  const space = text.slice(0, equals).search(/\s/);
  if (space !== -1) return wrong(space, 'no space can stand here');
  if (namespace === '') return wrong(0, 'the namespace of the policy is missing');
  if (policy === '') return wrong(Math.min(equals, namespace.length + 1), 'the name of the policy is missing');
  const [part = null, more] = rest;
  if (more !== undefined || (part !== null && !isPart(part)))
    return wrong(namespace.length + policy.length + 2, 'only tag, name or digest can follow the policy');
  const value = text.slice(equals + 1);
  if (value === '') return wrong(equals + 1, 'the value is empty');
  if (part === null) parseImage(value);
  else checks[part](text, value, equals + 1);
  return { policy: `${namespace}:${policy}`, part, value };
}

function isPart(text: string): text is keyof typeof checks {
  return Object.hasOwn(checks, text);
}

/** How one setter went in the files in hand. */
export interface SetterOutcome {
  readonly taken: boolean;
  /** Markers that were seen, as `<namespace>:<policy>[:<part>]`. */
  readonly seen: readonly string[];
  /** Of an encrypted file of a folder that holds such a marker, and was passed over. */
  readonly encrypted: Fault | null;
}

/** Plans a setter over the files in hand, as Flux's image automation does: the whole image sets its parts too. */
export function planSetter(work: Work, setter: SetterChange): SetterOutcome {
  const seen: string[] = [];
  let taken = false;
  let encrypted: Fault | null = null;
  for (const [path, content] of work.files) {
    if (!isManifestPath(path) && !work.input.named?.has(path)) continue;
    if (!holdsText(content, '"$imagepolicy"')) continue;
    const mine = holdsText(content, `"${setter.policy}`);
    if (!mine && !work.input.named?.has(path)) {
      for (const policy of policiesIn(content)) seen.push(policy);
      continue;
    }
    const opened = work.open(path);
    if (opened.type === 'unparsable') throw opened.fault;
    if (opened.type === 'encrypted' && mine) {
      encrypted = new Fault('encrypted', opened.reason, { place: { file: path } });
      if (work.input.named?.has(path)) throw encrypted;
      work.notTaken.push({ file: path, kind: 'setter', image: null, reason: 'encrypted', message: opened.reason });
    }
    if (opened.type !== 'manifest') continue;
    for (const document of opened.file.documents) {
      if (work.input.document !== undefined && !isDocument(document, work.input.document)) continue;
      for (const marked of findMarked(opened.file, document)) {
        seen.push(`${marked.policy}${marked.part === 'image' ? '' : `:${marked.part}`}`);
        const after = marked.policy === setter.policy ? valueFor(setter, marked) : null;
        if (after === null) continue;
        taken = true;
        work.planned.push(...plannedWrites(opened.file, 'setter', null, marked.host, [writeMarked(marked, after)]));
      }
    }
  }
  return { taken, seen, encrypted };
}

/** The fault of a setter that no marker names. */
export function missingSetter(setter: SetterChange, seen: Iterable<string>): Fault {
  const known = [...new Set(seen)].toSorted().slice(0, 10);
  return new Fault(
    'target_missing',
    `no marker names ${setter.policy}${setter.part === null ? '' : `:${setter.part}`}`,
    {
      hint:
        known.length === 0
          ? 'There are no {"$imagepolicy": …} markers in these files.'
          : `Markers here: ${known.join(', ')}.`,
    },
  );
}

function valueFor(setter: SetterChange, marked: Marked): string | null {
  if (setter.part !== null) return marked.part === setter.part ? setter.value : null;
  if (marked.part === 'image') return setter.value;
  const image = readImage(setter.value);
  return image ? image[marked.part] : null;
}
