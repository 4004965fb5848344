import type { ImageChange } from '../app/change.ts';
import { Fault } from '../fault.ts';
import type { NotTaken, NotTakenReason, TargetKind } from './change.ts';
import { planExplicit } from './by-path.ts';
import { findImage } from './candidates.ts';
import type { Candidate } from './candidates.ts';
import type { Mentions } from './mention.ts';
import { plannedWrites } from './work.ts';
import type { Work } from './work.ts';

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

/** How one image change went in the files in hand. */
export interface ImageOutcome {
  /** A target holds the image, even where it is already so. */
  readonly taken: boolean;
  /** A candidate matches by more than the bare name of a chart. */
  readonly firm: boolean;
  /** A chart matches by its bare name, and was left alone. */
  readonly weak: boolean;
  /** The kind by which the files in hand were judged: their strongest, or a stronger one of other files; null: none. */
  readonly ruling: TargetKind | null;
  /** Of the first candidate that must be left alone. */
  readonly refused: Fault | null;
  /** Of the first patch that must be left alone and would undo what is done to workloads and Helm values. */
  readonly undone: Fault | null;
  readonly passed: readonly NotTaken[];
}

/** What is known from other files about an image change. */
export interface ImageRule {
  /** A chart may match by its bare name. */
  readonly charts: boolean;
  /** The strongest kind seen so far; null: none. */
  readonly strongest: TargetKind | null;
}

/** The stronger of two kinds. */
export function stronger(one: TargetKind | null, other: TargetKind | null): TargetKind | null {
  return strength.find((kind) => kind === one || kind === other) ?? null;
}

/**
 * Plans one image change over the files in hand. Faults `target_missing` for an explicit target, and those of named
 * files.
 */
export function planImage(work: Work, change: ImageChange, mentions: Mentions, rule: ImageRule): ImageOutcome {
  const explicit = work.input.targets.filter(({ image, file }) => image === change.name && work.files.has(file));
  for (const target of explicit) planExplicit(work, target, change);
  const { candidates, texts, passed } = findImage(work, change, mentions);
  const open = candidates.filter(({ manifest, slot }) => {
    const message = work.input.shared?.get(manifest.path);
    if (message !== undefined) passed.push(notTaken(manifest, slot, 'shared', message));
    return message === undefined;
  });
  const firm = open.some(({ weak }) => !weak) || explicit.length > 0 || texts.length > 0;
  const matching = open.filter(({ weak }) => !weak || (rule.charts && !firm));
  const own = matching.reduce<TargetKind | null>((kind, { slot }) => stronger(kind, slot.kind), null);
  const ruling = own === null ? null : stronger(own, rule.strongest);
  const written = new Map<unknown, TargetKind>(
    work.planned.flatMap(({ how, kind }) =>
      'write' in how && how.write.type === 'set' && kind === 'path' ? [[how.write.node, kind]] : [],
    ),
  );
  let taken = explicit.length > 0 || texts.length > 0;
  let refused: Fault | null = null;
  let undone: Fault | null = null;
  const ordered = matching.toSorted(
    (one, other) => strength.indexOf(one.slot.kind) - strength.indexOf(other.slot.kind),
  );
  for (const { manifest, slot, writes } of ordered) {
    if (typeof writes === 'string') {
      const place = manifest.place(slot.offset);
      const fault = new Fault('edit_refused', `${slot.path}: ${writes}`, { place, hint: hintOf(writes) });
      refused ??= fault;
      if (slot.overrides) undone ??= fault;
      passed.push(notTaken(manifest, slot, 'refused', writes));
      continue;
    }
    const fresh = writes.filter((write) => {
      const by = write.type === 'set' && write.node !== null ? written.get(write.node) : undefined;
      return by === undefined || by === slot.kind;
    });
    if (fresh.length === 0 && writes.length > 0) continue;
    if (work.input.mode === 'update' && slot.kind !== ruling) {
      passed.push(notTaken(manifest, slot, 'precedence', `${ruling} goes before ${slot.kind}`));
      continue;
    }
    taken = true;
    for (const write of fresh) if (write.type === 'set') written.set(write.node, slot.kind);
    if (writes.every((write) => write.before === write.after && write.type === 'set')) {
      passed.push(notTaken(manifest, slot, 'unchanged', 'it is already so'));
    }
    work.planned.push(...plannedWrites(manifest, slot.kind, change.name, slot.host, fresh));
  }
  for (const text of texts) work.planned.push(text);
  return { taken, firm, weak: open.some(({ weak }) => weak) && !taken, ruling, refused, undone, passed };
}

/** What to do where a variable stands; undefined: what always helps. */
function hintOf(refusal: string): string | undefined {
  if (!/holds a variable/.test(refusal)) return undefined;
  return 'Name the place that sets the variable as a target in sluice.yaml, or change it by path (--set).';
}

function notTaken(
  manifest: Candidate['manifest'],
  slot: Candidate['slot'],
  reason: NotTakenReason,
  message: string,
): NotTaken {
  return {
    ...manifest.place(slot.offset),
    kind: slot.kind,
    image: slot.names[0] ?? null,
    reason,
    message: `${slot.path}: ${message}`,
  };
}
