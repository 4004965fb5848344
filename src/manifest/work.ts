import type { ImageChange, ValueChange } from '../app/change.ts';
import type { ExplicitTarget } from '../config/config.ts';
import { Fault } from '../fault.ts';
import type { Place } from '../fault.ts';
import type { Edit, NotTaken, TargetKind } from './change.ts';
import type { ManifestFile, YAMLMap } from './document.ts';
import { openFile } from './open.ts';
import type { Opened } from './open.ts';
import type { Write } from './slot.ts';
import { placesOf } from './text.ts';

/** A setter to set: `part` null stands for the whole image, and then its parts follow. */
export interface SetterChange {
  /** `<namespace>:<policy>` */
  readonly policy: string;
  readonly part: 'tag' | 'name' | 'digest' | null;
  readonly value: string;
}

/** What a plan is made from. Paths are keys of `files`, relative to one common folder, with `/`. */
export interface PlanInput {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly images: readonly ImageChange[];
  /** `file` is a key of `files`. */
  readonly values: readonly ValueChange[];
  readonly setters?: readonly SetterChange[];
  /** From sluice.yaml, `{environment}` in `file` already filled in. */
  readonly targets: readonly ExplicitTarget[];
  /** `update`: by precedence of the kinds; `edit`: every match. */
  readonly mode: 'update' | 'edit';
  /**
   * `tag`: no digest where a tag is given. `digest`: no tag beside the digest, where a reader does without it. Else
   * everything that the change holds.
   */
  readonly pin?: 'tag' | 'digest' | 'both' | null;
  /** `N` from 0, or `Kind/name`. */
  readonly document?: string;
  /** Files that are not to be taken, with the reason. */
  readonly shared?: ReadonlyMap<string, string>;
  /** Files of other environments, for hints only. */
  readonly elsewhere?: ReadonlyMap<string, Uint8Array>;
  /** Files that the user named one by one (not by a folder): a fault in them is not passed over. */
  readonly named?: ReadonlySet<string>;
}

/** One value to change, in a YAML or JSON file (`write`) or in another text (`edit`). */
export interface Planned {
  readonly file: string;
  readonly kind: TargetKind;
  readonly image: string | null;
  readonly path: string;
  readonly before: string;
  readonly after: string;
  readonly place: Required<Place>;
  readonly how:
    | { readonly manifest: ManifestFile; readonly write: Write; readonly host: YAMLMap | null }
    | { readonly edit: Edit };
}

/** The files in hand, and what is planned in them so far. */
export interface Work {
  readonly input: PlanInput;
  /** The files in hand, of those of the input. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly planned: Planned[];
  readonly notTaken: NotTaken[];
  open(path: string): Opened;
  place(path: string, offset: number): Required<Place>;
}

/** Opens the files of an input. */
export type Opener = (path: string, content: Uint8Array) => Opened;

/**
 * Files stay open up to `most` bytes of text together; others are opened anew when they are in hand again. Parsed files
 * take 50 times their size.
 */
export function keepOpen(most: number): Opener {
  const kept = new Map<string, Opened>();
  let size = 0;
  return (path, content) => {
    const known = kept.get(path);
    if (known) return known;
    const opened = openFile(path, content);
    if (size + content.byteLength <= most) {
      size += content.byteLength;
      kept.set(path, opened);
    }
    return opened;
  };
}

/** Work on some files of an input. Parsed files that the opener does not keep live as long as their work. */
export function startWork(input: PlanInput, files: ReadonlyMap<string, Uint8Array>, opener: Opener): Work {
  const inHand = new Map<string, Opened>();
  return {
    input,
    files,
    planned: [],
    notTaken: [],
    open(path) {
      const known = inHand.get(path);
      if (known) return known;
      const content = files.get(path);
      if (!content) throw new Fault('file_missing', 'there is no such file', { place: { file: path } });
      const opened = opener(path, content);
      inHand.set(path, opened);
      return opened;
    },
    place(path, offset) {
      const file = inHand.get(path);
      if (!file || file.type === 'unparsable') return { file: path, line: 1, column: 1 };
      return file.type === 'manifest' ? file.file.place(offset) : placesOf(path, file.text)(offset);
    },
  };
}

/** The change as a place holds it whose reader does without tag: with `pin: digest` the digest stands alone. */
export function pinned(work: Work, change: ImageChange): ImageChange {
  if (work.input.pin !== 'digest' || change.digest === undefined) return change;
  const { tag: _, ...rest } = change;
  return rest;
}

/** Planned changes of the writes of one slot. */
export function plannedWrites(
  manifest: ManifestFile,
  kind: TargetKind,
  image: string | null,
  host: YAMLMap | null,
  writes: readonly Write[],
): readonly Planned[] {
  return writes.map((write) => ({
    file: manifest.path,
    kind,
    image,
    path: write.path,
    before: write.before,
    after: write.after,
    place: manifest.place(writeOffset(write)),
    how: { manifest, write, host },
  }));
}

function writeOffset(write: Write): number {
  if (write.type === 'add') return write.beside.key.range?.[0] ?? 0;
  if (write.type === 'remove') return write.pair.key.range?.[0] ?? 0;
  return write.node?.range?.[0] ?? write.pair?.key.range?.[0] ?? 0;
}
