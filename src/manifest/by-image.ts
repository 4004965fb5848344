import type { ImageChange } from '../app/change.ts';
import { baseName, readImage, withoutHost } from '../app/image.ts';
import { Fault } from '../fault.ts';
import type { Edit, NotTaken, NotTakenReason, TargetKind } from './change.ts';
import { planExplicit } from './by-path.ts';
import type { ManifestFile } from './document.ts';
import { missingImage } from './missing.ts';
import { isManifestPath } from './open.ts';
import { isDocument } from './path.ts';
import { referenceText } from './slot.ts';
import type { Finder, ImageSlot, Write } from './slot.ts';
import { findCharts } from './target/chart.ts';
import { findFluxSources } from './target/flux-source.ts';
import { findHelmValues } from './target/helm-values.ts';
import { findKustomizeImages } from './target/kustomize-images.ts';
import { readLine, setLine } from './target/line.ts';
import { readPairs, setPair } from './target/pairs.ts';
import { findMarked, findSetters } from './target/setter.ts';
import { findInText } from './target/template.ts';
import { findWorkloads } from './target/workload.ts';
import { holdsText } from './text.ts';
import { pinned, plannedWrites } from './work.ts';
import type { Planned, Work } from './work.ts';

/** Strongest first: the order of precedence in `update`. */
const strength: readonly TargetKind[] = [
  'path',
  'kustomize-images',
  'setter',
  'helm-values',
  'flux-source',
  'chart',
  'workload',
];
const finders: readonly Finder[] = [findKustomizeImages, findHelmValues, findFluxSources, findCharts, findWorkloads];

/** A slot that holds the image, with the writes that the change makes there. */
interface Candidate {
  readonly manifest: ManifestFile;
  readonly slot: ImageSlot;
  readonly writes: readonly Write[] | string;
  /** By the bare name of a chart: counts only where nothing else matches. */
  readonly weak: boolean;
}

/** Plans one image change over all files. Faults `target_missing`, `encrypted`, `edit_refused`, and those of named files. */
export function planImage(work: Work, change: ImageChange): void {
  const explicit = work.input.targets.filter((target) => target.image === change.name);
  for (const target of explicit) planExplicit(work, target, change);
  const passed: NotTaken[] = [];
  const candidates: Candidate[] = [];
  const texts: Planned[] = [];
  const policies = policyNames(work, change);
  for (const [path, content] of work.input.files) {
    if (!mentions(path, content, change)) continue;
    if (!isManifestPath(path) && !work.input.named?.has(path)) continue;
    lookInto(work, path, change, { candidates, texts, passed, policies });
  }
  const shared = candidates.filter(({ manifest }) => work.input.shared?.has(manifest.path));
  for (const { manifest, slot } of shared) {
    passed.push(notTaken(manifest, slot, 'shared', work.input.shared!.get(manifest.path)!));
  }
  const open = candidates.filter((candidate) => !shared.includes(candidate));
  const firm = open.some(({ weak }) => !weak) || explicit.length > 0 || texts.length > 0;
  const matching = open.filter(({ weak }) => !weak || !firm);
  const strongest =
    explicit.length > 0 ? 'path' : strength.find((kind) => matching.some(({ slot }) => slot.kind === kind));
  const written = new Map<unknown, TargetKind>(
    work.planned.flatMap(({ how, kind }) =>
      'write' in how && how.write.type === 'set' && kind === 'path' ? [[how.write.node, kind]] : [],
    ),
  );
  let taken = explicit.length > 0 || texts.length > 0;
  let refused: Fault | null = null;
  const ordered = matching.toSorted(
    (one, other) => strength.indexOf(one.slot.kind) - strength.indexOf(other.slot.kind),
  );
  for (const candidate of ordered) {
    const { manifest, slot, writes } = candidate;
    if (typeof writes === 'string') {
      refused ??= new Fault('edit_refused', `${slot.path}: ${writes}`, { place: manifest.place(slot.offset) });
      passed.push(notTaken(manifest, slot, 'refused', writes));
      continue;
    }
    const fresh = writes.filter((write) => {
      const by = write.type === 'set' && write.node !== null ? written.get(write.node) : undefined;
      return by === undefined || by === slot.kind;
    });
    if (fresh.length === 0 && writes.length > 0) continue;
    if (work.input.mode === 'update' && slot.kind !== strongest) {
      passed.push(notTaken(manifest, slot, 'precedence', `${strongest} goes before ${slot.kind}`));
      continue;
    }
    taken = true;
    for (const write of fresh) if (write.type === 'set') written.set(write.node, slot.kind);
    if (writes.every((write) => write.before === write.after && write.type === 'set')) {
      passed.push(notTaken(manifest, slot, 'unchanged', 'it is already so'));
    }
    work.planned.push(...plannedWrites(manifest, slot.kind, change.name, slot.host, fresh));
  }
  work.planned.push(...texts);
  work.notTaken.push(...passed);
  if (taken) return;
  if (refused) throw refused;
  throw missingImage(work, change, passed);
}

interface Look {
  readonly candidates: Candidate[];
  readonly texts: Planned[];
  readonly passed: NotTaken[];
  readonly policies: ReadonlyMap<string, ReadonlySet<string>>;
}

function lookInto(work: Work, path: string, change: ImageChange, look: Look): void {
  const opened = work.open(path);
  const named = work.input.named?.has(path) ?? false;
  const pass = (reason: NotTakenReason, message: string): void => {
    look.passed.push({ file: path, kind: null, image: change.name, reason, message });
  };
  switch (opened.type) {
    case 'unparsable':
      if (named || (work.input.mode === 'edit' && holdsText(work.input.files.get(path)!, change.name)))
        throw opened.fault;
      pass('unparsable', opened.fault.message);
      return;
    case 'encrypted':
      if (
        !(opened.file
          ? candidatesOf(work, opened.file, change, look.policies).length > 0
          : opened.text.includes(change.name))
      )
        return;
      if (named) throw new Fault('encrypted', opened.reason, { place: { file: path } });
      pass('encrypted', opened.reason);
      return;
    case 'template': {
      if (!named) {
        pass('template', 'the file is a template; name it to have it patched as text');
        return;
      }
      const match = findInText(path, opened.text, change, pinned(work, change));
      if (match) look.texts.push(textTarget(work, path, change, 'text', match.before, match.after, match.edit));
      return;
    }
    case 'pairs':
      for (const pair of readPairs(opened.text)) {
        const image = readImage(pair.value);
        if (image?.name !== change.name) continue;
        const after = referenceText(pinned(work, change), image);
        const edit = setPair(pair, after, work.place(path, pair.start));
        look.texts.push(textTarget(work, path, change, pair.key, pair.value, after, edit));
      }
      return;
    case 'line': {
      const line = readLine(opened.text);
      const image = line ? readImage(line.value) : null;
      if (!line || image?.name !== change.name) return;
      const after = referenceText(pinned(work, change), image);
      look.texts.push(
        textTarget(work, path, change, '/', line.value, after, setLine(line, after, work.place(path, line.start))),
      );
      return;
    }
    case 'manifest':
      look.candidates.push(...candidatesOf(work, opened.file, change, look.policies));
  }
}

function textTarget(
  work: Work,
  file: string,
  change: ImageChange,
  path: string,
  before: string,
  after: string,
  edit: Edit,
): Planned {
  return {
    file,
    kind: 'path',
    image: change.name,
    path,
    before,
    after,
    place: work.place(file, edit.start),
    how: { edit },
  };
}

function candidatesOf(
  work: Work,
  manifest: ManifestFile,
  change: ImageChange,
  policies: ReadonlyMap<string, ReadonlySet<string>>,
): readonly Candidate[] {
  const { document: selector } = work.input;
  return manifest.documents
    .filter((document) => selector === undefined || isDocument(document, selector))
    .flatMap((document) => [
      ...finders.flatMap((find) => find(manifest, document)),
      ...findSetters(manifest, document, policies),
    ])
    .flatMap((slot) => {
      const weak = slot.kind === 'chart' && slot.names[0] !== change.name;
      const given = slot.keepsTag ? change : pinned(work, change);
      if (slot.names.includes(change.name) || isChartOf(work, slot, change.name))
        return [{ manifest, slot, writes: slot.write(given), weak }];
      if (change.newName === undefined || slot.names[0] !== change.newName) return [];
      const writes = slot.write(given);
      const done =
        typeof writes !== 'string' && writes.every((write) => write.type === 'set' && write.before === write.after);
      return done ? [{ manifest, slot, writes, weak }] : [];
    });
}

/** `<registry path>/<chart>`: the chart's name, and a repository with that path stands in one of the files. */
function isChartOf(work: Work, slot: ImageSlot, name: string): boolean {
  const chart = slot.names.at(-1) ?? '';
  if (slot.kind !== 'chart' || !name.endsWith(`/${chart}`)) return false;
  const path = name.slice(0, -chart.length - 1);
  return [...work.input.files.values()].some((content) => holdsText(content, `://${path}`));
}

/** Names of the image of each policy, as the marked values of all files tell them. */
function policyNames(work: Work, change: ImageChange): ReadonlyMap<string, ReadonlySet<string>> {
  const names = new Map<string, Set<string>>();
  for (const [path, content] of work.input.files) {
    if (!isManifestPath(path) || !holdsText(content, '"$imagepolicy"') || !mentions(path, content, change)) continue;
    const opened = work.open(path);
    if (opened.type !== 'manifest') continue;
    for (const marked of opened.file.documents.flatMap((document) => findMarked(opened.file, document))) {
      const known = names.get(marked.policy) ?? new Set();
      for (const name of marked.names) known.add(name);
      names.set(marked.policy, known);
    }
  }
  return names;
}

/**
 * A cheap look before parsing: can the file hold the image at all? A registry may stand apart from the rest of a name,
 * a chart's name apart from its source's, and JSON may escape slashes.
 */
function mentions(path: string, content: Uint8Array, change: ImageChange): boolean {
  if (holdsText(content, '"$imagepolicy"')) return true;
  return [change.name, change.newName ?? change.name].some(
    (name) =>
      holdsText(content, withoutHost(name)) ||
      ((path.endsWith('.json') || holdsText(content, 'chart')) && holdsText(content, baseName(name))),
  );
}

function notTaken(manifest: ManifestFile, slot: ImageSlot, reason: NotTakenReason, message: string): NotTaken {
  return {
    ...manifest.place(slot.offset),
    kind: slot.kind,
    image: slot.names[0] ?? null,
    reason,
    message: `${slot.path}: ${message}`,
  };
}
