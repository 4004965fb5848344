import type { ImageChange } from '../app/change.ts';
import { Fault } from '../fault.ts';
import { assemble } from './assemble.ts';
import { planImage, stronger } from './by-image.ts';
import type { ImageOutcome } from './by-image.ts';
import { planValue } from './by-path.ts';
import { missingSetter, planSetter } from './by-setter.ts';
import type { SetterOutcome } from './by-setter.ts';
import type { ManifestChange, NotTaken, TargetKind } from './change.ts';
import { mentionsOf } from './mention.ts';
import { missingImage } from './missing.ts';
import { kustomizationNames } from './reach-kustomization.ts';
import { keepOpen, startWork } from './work.ts';
import type { PlanInput, SetterChange, Work } from './work.ts';

/** What the plan of one file came to. */
interface Part {
  /** A Fault where its edits are refused: it counts only where the ruling kinds stay as they were. */
  readonly change: ManifestChange | Fault;
  readonly images: ReadonlyMap<ImageChange, ImageOutcome>;
  readonly setters: ReadonlyMap<SetterChange, SetterOutcome>;
  /** Values whose path leads nowhere in the file, or that was passed over for a fault. */
  readonly lost: ReadonlyMap<PlanInput['values'][number], Fault | null>;
}

/** The changes, each once. */
interface Asked {
  readonly images: readonly ImageChange[];
  readonly setters: readonly SetterChange[];
}

/** The strongest kind that holds an image, by image. */
type Ruling = Map<ImageChange, TargetKind>;

/** Text that stays parsed while other files are looked at: with more, the heap grows by what is parsed beside it. */
const keptOpen = 64 * 1024;

/**
 * Finds the targets of the change in the files and makes the edits: exactly the bytes of the wanted values. Nothing to
 * do is no fault: `files` is empty then, and `notTaken` says `unchanged`. Faults: `target_missing` (with the nearest
 * names), `encrypted`, `edit_refused`, `manifest_unparsable`, `too_large`, `file_missing`, `usage` (a wrong path).
 */
export function planManifestChange(input: PlanInput): ManifestChange {
  const steps = planInSteps(input);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** As `planManifestChange`, file by file: the caller may do something else, or stop, after each. */
export function* planInSteps(input: PlanInput): Generator<void, ManifestChange> {
  const asked: Asked = {
    images: distinct(input.images.map((image) => (input.pin === 'tag' ? withoutDigest(image) : image))),
    setters: distinct(input.setters ?? []),
  };
  const charts = new Set<ImageChange>();
  const plan = plansOf(input, asked);
  for (;;) {
    const parts = yield* plan(charts);
    const again = asked.images.filter((change) => {
      const outcomes = parts.map(({ images }) => images.get(change)!);
      return (
        !charts.has(change) && outcomes.some(({ weak }) => weak) && !outcomes.some((each) => each.taken || each.firm)
      );
    });
    if (again.length === 0) return conclude(input, asked, parts);
    for (const change of again) charts.add(change);
  }
}

/**
 * A function that plans all changes; `charts` are the images that a chart may answer to by its bare name. Each file is
 * planned to its edits before the next is opened. In `update` the kinds of all files decide together: where a stronger
 * kind turns up, the files that a weaker one has ruled are planned again.
 */
function plansOf(
  input: PlanInput,
  asked: Asked,
): (charts: ReadonlySet<ImageChange>) => Generator<void, readonly Part[]> {
  const images = asked.images.map((change) => ({ change, mentions: mentionsOf(input.files, change) }));
  const values = Map.groupBy(input.values, ({ file }) => file);
  const explicit = input.targets.filter(({ image }) => images.some(({ change }) => change.name === image));
  for (const file of [...values.keys(), ...explicit.map((target) => target.file)]) {
    if (!input.files.has(file)) throw new Fault('file_missing', 'there is no such file', { place: { file } });
  }
  const opener = keepOpen(keptOpen);
  const planFile = (path: string, ruling: Ruling, charts: ReadonlySet<ImageChange>): Part => {
    const work = startWork(input, new Map([[path, input.files.get(path)!]]), opener);
    const outcomes = images.map(({ change, mentions }) => {
      const rule = { charts: charts.has(change), strongest: ruling.get(change) ?? null };
      const outcome = planImage(work, change, mentions, rule);
      for (const each of outcome.passed) work.notTaken.push(each);
      return [change, outcome] as const;
    });
    const setters = new Map(asked.setters.map((setter) => [setter, planSetter(work, setter)]));
    const lost = new Map<PlanInput['values'][number], Fault | null>();
    for (const change of values.get(path) ?? []) {
      const planned = planValue(work, change);
      if (planned !== true) lost.set(change, planned === false ? null : planned);
    }
    return { change: assembled(work), images: new Map(outcomes), setters, lost };
  };
  return function* planned(charts) {
    const parts = new Map<string, Part>();
    const ruling: Ruling = new Map();
    for (const { image } of explicit)
      for (const { change } of images) if (change.name === image) ruling.set(change, 'path');
    let waiting = input.mode === 'edit' ? [...input.files.keys()] : rulingFirst([...input.files.keys()]);
    while (waiting.length > 0) {
      for (const path of waiting) {
        const part = planFile(path, ruling, charts);
        if (part.change instanceof Fault && input.mode === 'edit') throw part.change;
        parts.set(path, part);
        yield;
        for (const [change, outcome] of part.images) if (outcome.ruling) ruling.set(change, outcome.ruling);
      }
      waiting =
        input.mode === 'edit'
          ? []
          : waiting.filter((path) =>
              [...parts.get(path)!.images].some(
                ([change, outcome]) => outcome.ruling !== null && outcome.ruling !== ruling.get(change),
              ),
            );
    }
    return [...input.files.keys()].map((path) => parts.get(path)!);
  };
}

/** Kustomizations rule over what else holds an image: with them first, other files are mostly planned once. */
function rulingFirst(paths: readonly string[]): string[] {
  const [first, rest] = [true, false].map((wanted) =>
    paths.filter((path) => kustomizationNames.some((name) => path === name || path.endsWith(`/${name}`)) === wanted),
  );
  return [...first!, ...rest!];
}

function assembled(work: Work): ManifestChange | Fault {
  try {
    return assemble(work);
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
}

/** The change, where everything that was asked for was found. */
function conclude(input: PlanInput, asked: Asked, parts: readonly Part[]): ManifestChange {
  for (const { change } of parts) if (change instanceof Fault) throw change;
  for (const change of asked.images) {
    const outcomes = parts.map(({ images }) => images.get(change)!);
    const undone = input.mode === 'update' ? undoneBy(outcomes) : null;
    if (undone) throw undone;
    if (outcomes.some(({ taken }) => taken)) continue;
    const refused = outcomes.find((outcome) => outcome.refused !== null)?.refused;
    if (refused) throw refused;
    const passed = outcomes.flatMap((outcome) => outcome.passed);
    throw missingImage(input, change, passed);
  }
  for (const setter of asked.setters) {
    const outcomes = parts.map(({ setters }) => setters.get(setter)!);
    if (outcomes.some(({ taken }) => taken)) continue;
    const encrypted = outcomes.find((outcome) => outcome.encrypted !== null)?.encrypted;
    throw encrypted ?? missingSetter(setter, new Set(outcomes.flatMap(({ seen }) => seen)));
  }
  const lost = new Map(parts.flatMap((part) => [...part.lost]));
  const changes = parts.flatMap(({ change }) => (change instanceof Fault ? [] : [change]));
  return {
    files: changes.flatMap(({ files }) => files),
    targets: changes.flatMap(({ targets }) => targets),
    notTaken: [...changes.flatMap(({ notTaken }) => notTaken), ...lostValues(input, lost)],
  };
}

/** A patch that cannot be edited, where nothing stronger than what it patches holds the image. */
function undoneBy(outcomes: readonly ImageOutcome[]): Fault | null {
  const ruling = outcomes.reduce<TargetKind | null>((kind, outcome) => stronger(kind, outcome.ruling), null);
  if (ruling !== 'workload' && ruling !== 'helm-values') return null;
  return outcomes.find(({ undone }) => undone !== null)?.undone ?? null;
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
function lostValues(input: PlanInput, lost: Part['lost']): readonly NotTaken[] {
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
