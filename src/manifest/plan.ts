import type { ImageChange } from '../app/change.ts';
import { Fault } from '../fault.ts';
import { assemble } from './assemble.ts';
import { planImage } from './by-image.ts';
import type { ImageOutcome } from './by-image.ts';
import { planValue } from './by-path.ts';
import { missingSetter, planSetter } from './by-setter.ts';
import type { FileChange, ManifestChange, NotTaken, Target } from './change.ts';
import { mentionsOf } from './mention.ts';
import { missingImage } from './missing.ts';
import { startWork } from './work.ts';
import type { PlanInput, SetterChange, Work } from './work.ts';

/** One turn over all files, as far as it went. */
interface Turn {
  readonly files: FileChange[];
  readonly targets: Target[];
  readonly notTaken: NotTaken[];
  readonly images: Map<ImageChange, ImageOutcome[]>;
  readonly setters: Map<SetterChange, { taken: boolean; encrypted: Fault | null; readonly seen: Set<string> }>;
  /** Values whose path leads nowhere in their file, or whose file was passed over for a fault. */
  readonly lost: Map<PlanInput['values'][number], Fault | null>;
}

/**
 * Finds the targets of the change in the files and makes the edits: exactly the bytes of the wanted values. Nothing to
 * do is no fault: `files` is empty then, and `notTaken` says `unchanged`. Faults: `target_missing` (with the nearest
 * names), `encrypted`, `edit_refused`, `manifest_unparsable`, `too_large`, `file_missing`, `usage` (a wrong path).
 */
export function planManifestChange(input: PlanInput): ManifestChange {
  const charts = new Set<ImageChange>();
  const plan = plansOf(input);
  for (;;) {
    const turn = plan(charts);
    const again = [...turn.images].flatMap(([change, outcomes]) =>
      !charts.has(change) && outcomes.some(({ weak }) => weak) && !outcomes.some(({ taken, firm }) => taken || firm)
        ? [change]
        : [],
    );
    if (again.length === 0) return conclude(input, turn);
    for (const change of again) charts.add(change);
  }
}

/**
 * A function that plans all changes; `charts` are the images that a chart may answer to by its bare name. In `edit` each
 * file stands for itself and is planned to its edits before the next is opened: parsed files take 50 times their size.
 * In `update` the kinds of all files decide together.
 */
function plansOf(input: PlanInput): (charts: ReadonlySet<ImageChange>) => Turn {
  const images = distinct(input.images.map((image) => (input.pin === 'tag' ? withoutDigest(image) : image))).map(
    (change) => ({ change, mentions: mentionsOf(input.files, change) }),
  );
  const setters = distinct(input.setters ?? []);
  const values = Map.groupBy(input.values, ({ file }) => file);
  for (const file of values.keys()) {
    if (!input.files.has(file)) throw new Fault('file_missing', 'there is no such file', { place: { file } });
  }
  const plan = (turn: Turn, work: Work, charts: ReadonlySet<ImageChange>): void => {
    for (const { change, mentions } of images) {
      const outcome = planImage(work, change, mentions, charts.has(change));
      turn.images.get(change)!.push(outcome);
      for (const each of outcome.passed) work.notTaken.push(each);
    }
    for (const setter of setters) {
      const { taken, seen, encrypted } = planSetter(work, setter);
      const sum = turn.setters.get(setter)!;
      sum.taken ||= taken;
      sum.encrypted ??= encrypted;
      for (const each of seen) sum.seen.add(each);
    }
    for (const path of work.files.keys()) {
      for (const change of values.get(path) ?? []) {
        const planned = planValue(work, change);
        if (planned !== true) turn.lost.set(change, planned === false ? null : planned);
      }
    }
    const { files, targets, notTaken } = assemble(work);
    for (const each of files) turn.files.push(each);
    for (const each of targets) turn.targets.push(each);
    for (const each of notTaken) turn.notTaken.push(each);
  };
  return (charts) => {
    const turn: Turn = {
      files: [],
      targets: [],
      notTaken: [],
      images: new Map(images.map(({ change }) => [change, []])),
      setters: new Map(setters.map((setter) => [setter, { taken: false, encrypted: null, seen: new Set() }])),
      lost: new Map(),
    };
    if (input.mode === 'update' || input.targets.length > 0) plan(turn, startWork(input, input.files), charts);
    else for (const file of input.files) plan(turn, startWork(input, new Map([file])), charts);
    return turn;
  };
}

/** The change, where everything that was asked for was found. */
function conclude(input: PlanInput, turn: Turn): ManifestChange {
  for (const [change, outcomes] of turn.images) {
    if (outcomes.some(({ taken }) => taken)) continue;
    const refused = outcomes.find((outcome) => outcome.refused !== null)?.refused;
    throw (
      refused ??
      missingImage(
        input,
        change,
        outcomes.flatMap(({ passed }) => passed),
      )
    );
  }
  for (const [setter, { taken, seen, encrypted }] of turn.setters) {
    if (!taken) throw encrypted ?? missingSetter(setter, seen);
  }
  return { files: turn.files, targets: turn.targets, notTaken: [...turn.notTaken, ...lostValues(input, turn)] };
}

function withoutDigest(image: ImageChange): ImageChange {
  const { digest: _, ...rest } = image;
  return rest.tag === undefined ? image : rest;
}

/** The same flag given twice counts once. */
function distinct<T>(changes: readonly T[]): readonly T[] {
  return [...new Map(changes.map((change) => [JSON.stringify(change), change])).values()];
}

/** In `edit`, one path is looked up in all files and must stand in at least one; in `update`, each names its file. */
function lostValues(input: PlanInput, { lost }: Turn): readonly NotTaken[] {
  const found = new Set(input.values.filter((change) => !lost.has(change)).map(wish));
  const faults = Map.groupBy(lost, ([change]) => wish(change));
  return [...lost].flatMap(([change, passed]) => {
    if (input.mode === 'update' || !found.has(wish(change))) {
      const fault = faults.get(wish(change))!.find(([, each]) => each !== null)?.[1];
      if (fault) throw fault;
      const document = input.document === undefined ? '' : ` in document ${input.document}`;
      throw new Fault('target_missing', `the path ${JSON.stringify(change.path)} leads nowhere${document}`, {
        place: { file: change.file },
        hint: 'Write a JSON Pointer (/a/b/0) or a dotted path (a.b[0], a["b.c"], a[name=api]) of a value that stands there.',
      });
    }
    const message = `${change.path} leads nowhere in this file`;
    return passed ? [] : [{ file: change.file, kind: 'path', image: null, reason: 'missing', message } as const];
  });
}

function wish({ path, value }: PlanInput['values'][number]): string {
  return JSON.stringify([path, value]);
}

export type { PlanInput } from './work.ts';
