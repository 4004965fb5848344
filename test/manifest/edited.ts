import { parseImageFlag } from '../../src/app/image.ts';
import type { ExplicitTarget } from '../../src/config/config.ts';
import { Fault } from '../../src/fault.ts';
import { parseSetterFlag } from '../../src/manifest/by-setter.ts';
import type { ManifestChange } from '../../src/manifest/change.ts';
import { applyEdits } from '../../src/manifest/edit.ts';
import { planManifestChange } from '../../src/manifest/plan.ts';
import type { PlanInput } from '../../src/manifest/plan.ts';

/** A change in the words of the command line. */
export interface Asked {
  readonly image?: string | readonly string[];
  /** [path, value] in every file. */
  readonly set?: readonly (readonly [string, string])[];
  readonly setter?: string | readonly string[];
  readonly document?: string;
  readonly mode?: 'update' | 'edit';
  readonly pin?: 'tag' | 'digest' | 'both';
  readonly targets?: readonly ExplicitTarget[];
  readonly shared?: Readonly<Record<string, string>>;
  readonly elsewhere?: Readonly<Record<string, string>>;
  /** Default: every file is named. */
  readonly named?: readonly string[];
}

export const sha = (digit: string): string => `sha256:${digit.repeat(64)}`;

const bytes = (files: Readonly<Record<string, string | Uint8Array>>): ReadonlyMap<string, Uint8Array> =>
  new Map(
    Object.entries(files).map(([path, text]) => [
      path,
      typeof text === 'string' ? new TextEncoder().encode(text) : text,
    ]),
  );
const list = (one: string | readonly string[] = []): readonly string[] => (typeof one === 'string' ? [one] : one);

/** The plan for several files. */
export function planned(files: Readonly<Record<string, string | Uint8Array>>, asked: Asked): ManifestChange {
  const input: PlanInput = {
    files: bytes(files),
    images: list(asked.image).map(parseImageFlag),
    setters: list(asked.setter).map(parseSetterFlag),
    values: Object.keys(files).flatMap((file) => (asked.set ?? []).map(([path, value]) => ({ file, path, value }))),
    targets: asked.targets ?? [],
    mode: asked.mode ?? 'edit',
    named: new Set(asked.named ?? Object.keys(files)),
    ...(asked.pin && { pin: asked.pin }),
    ...(asked.document !== undefined && { document: asked.document }),
    ...(asked.shared && { shared: new Map(Object.entries(asked.shared)) }),
    ...(asked.elsewhere && { elsewhere: bytes(asked.elsewhere) }),
  };
  return planManifestChange(input);
}

/** Texts of all files after the change. */
export function editedAll(
  files: Readonly<Record<string, string | Uint8Array>>,
  asked: Asked,
): Readonly<Record<string, string>> {
  const change = planned(files, asked);
  const edits = new Map(change.files.map((file) => [file.path, file.edits]));
  return Object.fromEntries(
    [...bytes(files)].map(([path, content]) => [
      path,
      new TextDecoder('utf-8', { ignoreBOM: true }).decode(applyEdits(content, edits.get(path) ?? [])),
    ]),
  );
}

/** Text of one file after the change. */
export function edited(text: string | Uint8Array, asked: Asked, path = 'file.yaml'): string {
  return editedAll({ [path]: text }, asked)[path]!;
}

/** The fault of the change; fails where there is none. */
export function faultOf(act: () => unknown): Fault {
  try {
    act();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error('no fault was thrown');
}
