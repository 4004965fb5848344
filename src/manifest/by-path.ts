import { isMap } from 'yaml';
import type { ImageChange } from '../app/change.ts';
import { readImage } from '../app/image.ts';
import type { ExplicitTarget } from '../config/config.ts';
import { Fault } from '../fault.ts';
import type { FaultCode } from '../fault.ts';
import type { Edit } from './change.ts';
import { heldBy, resolve, textOf } from './document.ts';
import type { ManifestDocument, ManifestFile } from './document.ts';
import { follow, formatPath, isDocument, parsePath } from './path.ts';
import type { Spot } from './path.ts';
import { labelOf, referenceText } from './slot.ts';
import type { Write } from './slot.ts';
import { readLine, setLine } from './target/line.ts';
import { readPairs, setPair } from './target/pairs.ts';
import { pinned, plannedWrites } from './work.ts';
import type { Planned, Work } from './work.ts';

/** Where a path leads in one file. */
type Found =
  | {
      readonly type: 'manifest';
      readonly file: ManifestFile;
      readonly document: ManifestDocument;
      readonly spot: Spot;
    }
  | {
      readonly type: 'text';
      readonly before: string;
      readonly path: string;
      readonly start: number;
      edit(value: string): Edit;
    };

/**
 * Looks a path up in a file; null where it leads nowhere. Faults: what opening the file says, `encrypted`,
 * `edit_refused` where several documents have the path, or a step names several items.
 */
function find(work: Work, path: string, text: string, selector: string | null): Found | null {
  const opened = work.open(path);
  const refuse = (code: FaultCode, message: string, hint?: string): never => {
    throw new Fault(code, message, { place: { file: path }, hint });
  };
  if (opened.type === 'unparsable') throw opened.fault;
  if (opened.type === 'encrypted') return refuse('encrypted', opened.reason);
  if (opened.type === 'template')
    return refuse('edit_refused', 'the file is a template, where a path leads nowhere', 'Use --image.');
  if (opened.type === 'line') {
    const line = text === '' || text === '/' ? readLine(opened.text) : null;
    return (
      line && {
        type: 'text',
        before: line.value,
        path: '/',
        start: line.start,
        edit: (value) => setLine(line, value, work.place(path, line.start)),
      }
    );
  }
  if (opened.type === 'pairs') {
    const key = text.startsWith('/') ? text.slice(1) : text;
    const pairs = readPairs(opened.text).filter((each) => each.key === key);
    const [pair, second] = pairs;
    if (second) {
      const message = `the key ${JSON.stringify(key)} stands ${pairs.length} times`;
      throw new Fault('manifest_unparsable', message, { place: work.place(path, second.start) });
    }
    return pair
      ? {
          type: 'text',
          before: pair.value,
          path: key,
          start: pair.start,
          edit: (value) => setPair(pair, value, work.place(path, pair.start)),
        }
      : null;
  }
  return opened.type === 'manifest' ? findInManifest(opened.file, text, selector) : null;
}

function findInManifest(file: ManifestFile, text: string, selector: string | null): Found | null {
  const refuse = (message: string, hint?: string): never => {
    throw new Fault('edit_refused', message, { place: { file: file.path }, hint });
  };
  const steps = parsePath(text);
  const documents =
    selector === null ? file.documents : file.documents.filter((document) => isDocument(document, selector));
  const found = documents.flatMap((document) => {
    const spot = document.root === null ? null : follow(document, steps);
    if (typeof spot === 'string') return refuse(`${text}: ${spot}`);
    return spot ? [{ type: 'manifest' as const, file, document, spot }] : [];
  });
  if (found.length > 1) {
    const names = found.map(
      ({ document }) => `${document.index}${document.kind === '' ? '' : ` (${document.kind}/${document.name})`}`,
    );
    return refuse(
      `${text === '' ? 'the whole document' : text} stands in several documents: ${names.join(', ')}`,
      'Name one with --document.',
    );
  }
  return found[0] ?? null;
}

/**
 * Plans `--set`: `value` at `path` in `file`. False where the path leads nowhere; a Fault where the file was found in a
 * folder and cannot be edited, which is passed over. Faults: those of the file.
 */
export function planValue(
  work: Work,
  change: { readonly file: string; readonly path: string; readonly value: string },
): boolean | Fault {
  if (work.input.mode === 'edit' && !work.input.named?.has(change.file)) {
    const fault = unfit(work, change.file);
    if (fault) return fault;
  }
  const found = find(work, change.file, change.path, work.input.document ?? null);
  if (!found) return false;
  if (found.type === 'text') work.planned.push(plannedText(work, change.file, null, found, change.value));
  else {
    const write = { ...spotWrite(found, change.value), free: true as const };
    work.planned.push(...plannedWrites(found.file, 'path', null, found.spot.map, [write]));
  }
  return true;
}

/** Why no path leads into the file, and a note of it; null where one may. */
function unfit(work: Work, file: string): Fault | null {
  const opened = work.open(file);
  if (opened.type !== 'unparsable' && opened.type !== 'encrypted' && opened.type !== 'template') return null;
  const where = { place: { file } };
  const fault =
    opened.type === 'unparsable'
      ? opened.fault
      : opened.type === 'encrypted'
        ? new Fault('encrypted', opened.reason, where)
        : new Fault('edit_refused', 'the file is a template, where a path leads nowhere', where);
  work.notTaken.push({ file, kind: 'path', image: null, reason: opened.type, message: fault.message });
  return fault;
}

function spotWrite({ document, spot }: Found & { type: 'manifest' }, after: string): Write {
  const { node, pair, aliases, merges, steps } = spot;
  const before = textOf(resolve(document, node));
  return { type: 'set', document, node, pair, aliases, merges, path: labelOf(document, steps), before, after };
}

function plannedText(
  work: Work,
  file: string,
  image: string | null,
  found: Found & { type: 'text' },
  after: string,
): Planned {
  const { path, before, start } = found;
  const edit = found.edit(after);
  return { file, kind: 'path', image, path, before, after, place: work.place(file, start), how: { edit } };
}

/**
 * Plans an image at a target that sluice.yaml names. Faults: `file_missing`, `target_missing` where the path leads
 * nowhere, and those of the file.
 */
export function planExplicit(work: Work, target: ExplicitTarget, change: ImageChange): void {
  const found = find(work, target.file, target.path, target.document);
  if (!found) {
    throw new Fault('target_missing', `the target of ${target.image} in sluice.yaml leads nowhere: ${target.path}`, {
      place: { file: target.file },
      hint: 'Correct `path`, `document` or `file` of the target.',
    });
  }
  if (target.keys === null) {
    const before = found.type === 'text' ? found.before : textOf(resolve(found.document, found.spot.node));
    const after = wholeValue(target.value, target.value === 'reference' ? pinned(work, change) : change, before);
    if (after === null) return;
    if (found.type === 'text') work.planned.push(plannedText(work, target.file, change.name, found, after));
    else
      work.planned.push(...plannedWrites(found.file, 'path', change.name, found.spot.map, [spotWrite(found, after)]));
    return;
  }
  const map = found.type === 'manifest' ? resolve(found.document, found.spot.node) : null;
  if (found.type === 'text' || !isMap(map)) {
    throw new Fault('target_missing', `the target of ${target.image} has \`keys\`, but ${target.path} is no map`, {
      place: { file: target.file },
    });
  }
  const writes = keyWrites(target.keys, change, found, map);
  work.planned.push(...plannedWrites(found.file, 'path', change.name, map, writes));
}

/** What a single value becomes; null: this change has nothing for it. */
function wholeValue(value: ExplicitTarget['value'], change: ImageChange, before: string): string | null {
  switch (value) {
    case 'reference':
      return referenceText(change, readImage(before) ?? { name: change.name, tag: null, digest: null });
    case 'repository':
      return change.newName ?? null;
    case 'tag':
      return change.tag ?? null;
    default:
      return change.digest ?? null;
  }
}

function keyWrites(
  keys: NonNullable<ExplicitTarget['keys']>,
  change: ImageChange,
  { document, file, spot }: Found & { type: 'manifest' },
  map: Parameters<typeof heldBy>[1],
): readonly Write[] {
  const text = (key: string | undefined): string =>
    key === undefined ? '' : textOf(resolve(document, heldBy(document, map, key)?.node));
  const writes: Write[] = [];
  const put = (key: string, after: string): void => {
    const held = heldBy(document, map, key);
    const path = labelOf(document, [...spot.steps, { type: 'key', key }]);
    const beside = [keys.tag, keys.repository, keys.registry].flatMap((each) =>
      each === undefined ? [] : (heldBy(document, map, each)?.pair ?? []),
    )[0];
    if (held) {
      const merges = held.merged ? [...spot.merges, map] : spot.merges;
      writes.push({
        type: 'set',
        document,
        node: held.node,
        pair: held.pair,
        aliases: spot.aliases,
        merges,
        path,
        before: text(key),
        after,
      });
    } else if (beside) writes.push({ type: 'add', document, map, beside, key, path, before: '', after });
    else {
      throw new Fault('target_missing', `${formatPath(spot.steps)} has none of the keys that the target names`, {
        place: file.place(map.range?.[0] ?? 0),
      });
    }
  };
  if (change.newName !== undefined && keys.repository !== undefined) {
    const slash = change.newName.indexOf('/');
    if (keys.registry !== undefined && slash !== -1) put(keys.registry, change.newName.slice(0, slash));
    put(keys.repository, keys.registry === undefined ? change.newName : change.newName.slice(slash + 1));
  }
  const joined = keys.digest === undefined && change.digest !== undefined;
  if (keys.tag !== undefined && (change.tag !== undefined || joined)) {
    const tag = change.tag ?? (text(keys.tag).split('@')[0] || 'latest');
    put(keys.tag, joined ? `${tag}@${change.digest}` : tag);
  }
  if (
    keys.digest !== undefined &&
    (change.digest !== undefined || (change.tag !== undefined && text(keys.digest) !== ''))
  ) {
    put(keys.digest, change.digest ?? '');
  }
  return writes;
}
