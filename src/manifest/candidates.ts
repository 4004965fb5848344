import type { ImageChange } from '../app/change.ts';
import { readImage } from '../app/image.ts';
import { Fault } from '../fault.ts';
import type { Edit, NotTaken, NotTakenReason } from './change.ts';
import type { ManifestFile } from './document.ts';
import type { Mentions } from './mention.ts';
import { isManifestPath } from './open.ts';
import { isDocument } from './path.ts';
import { referenceText } from './slot.ts';
import type { Finder, ImageSlot, Write } from './slot.ts';
import { findInBlocks } from './target/block.ts';
import { findCharts } from './target/chart.ts';
import { findFluxSources } from './target/flux-source.ts';
import { findHelmValues } from './target/helm-values.ts';
import { findInlinePatches } from './target/inline-patch.ts';
import { findKustomizeImages } from './target/kustomize-images.ts';
import { readLine, setLine } from './target/line.ts';
import { findLoneTags } from './target/lone-tag.ts';
import { readPairs, setPair } from './target/pairs.ts';
import { findSetters } from './target/setter.ts';
import { findInText } from './target/template.ts';
import { findWorkloads } from './target/workload.ts';
import { holdsName } from './text.ts';
import { pinned } from './work.ts';
import type { Planned, Work } from './work.ts';

const finders: readonly Finder[] = [
  findKustomizeImages,
  findHelmValues,
  findFluxSources,
  findCharts,
  findWorkloads,
  findInBlocks,
];

/** A slot that holds the image, with the writes that the change makes there, or why it must be left alone. */
export interface Candidate {
  readonly manifest: ManifestFile;
  readonly slot: ImageSlot;
  readonly writes: readonly Write[] | string;
  /** By the bare name of a chart: counts only where nothing else matches. */
  readonly weak: boolean;
}

/** What one image change finds in the files in hand. */
export interface Found {
  readonly candidates: Candidate[];
  /** Places in files that are no YAML. */
  readonly texts: Planned[];
  readonly passed: NotTaken[];
}

/** Looks for the image in the files in hand. Faults: those of files that were named, or hold the whole name. */
export function findImage(work: Work, change: ImageChange, mentions: Mentions): Found {
  const found: Found = { candidates: [], texts: [], passed: [] };
  for (const [path, content] of work.files) {
    const named = work.input.named?.has(path) ?? false;
    if (!isManifestPath(path) && !named) continue;
    if (mentions.in(path, content) || (named && content.includes(0))) lookInto(work, path, change, mentions, found);
  }
  return found;
}

function lookInto(work: Work, path: string, change: ImageChange, mentions: Mentions, found: Found): void {
  const opened = work.open(path);
  const named = work.input.named?.has(path) ?? false;
  const pass = (reason: NotTakenReason, message: string): void => {
    found.passed.push({ file: path, kind: null, image: change.name, reason, message });
  };
  const put = (key: string, before: string, after: string, edit: Edit): void => {
    const place = work.place(path, edit.start);
    found.texts.push({ file: path, kind: 'path', image: change.name, path: key, before, after, place, how: { edit } });
  };
  switch (opened.type) {
    case 'unparsable':
      if (named || (work.input.mode === 'edit' && holdsName(work.files.get(path)!, change.name))) throw opened.fault;
      pass('unparsable', opened.fault.message);
      return;
    case 'encrypted': {
      const holds = opened.file
        ? candidatesOf(work, opened.file, change, mentions).length > 0
        : opened.text.includes(change.name);
      if (!holds) return;
      if (named) throw new Fault('encrypted', opened.reason, { place: { file: path } });
      pass('encrypted', opened.reason);
      return;
    }
    case 'template': {
      if (!named) {
        pass('template', 'the file is a template; name it to have it patched as text');
        return;
      }
      const match = findInText(path, opened.text, change, pinned(work, change));
      if (match) put('text', match.before, match.after, match.edit);
      return;
    }
    case 'pairs':
      for (const pair of readPairs(opened.text)) {
        const image = readImage(pair.value);
        if (image?.name !== change.name) continue;
        const after = referenceText(pinned(work, change), image);
        put(pair.key, pair.value, after, setPair(pair, after, work.place(path, pair.start)));
      }
      return;
    case 'line': {
      const line = readLine(opened.text);
      const image = line ? readImage(line.value) : null;
      if (!line || image?.name !== change.name) return;
      const after = referenceText(pinned(work, change), image);
      put('/', line.value, after, setLine(line, after, work.place(path, line.start)));
      return;
    }
    case 'manifest':
      for (const candidate of candidatesOf(work, opened.file, change, mentions)) found.candidates.push(candidate);
  }
}

function candidatesOf(
  work: Work,
  manifest: ManifestFile,
  change: ImageChange,
  mentions: Mentions,
): readonly Candidate[] {
  const { document: selector } = work.input;
  return manifest.documents
    .filter((document) => selector === undefined || isDocument(document, selector))
    .flatMap((document) => [
      ...finders.flatMap((find) => find(manifest, document)),
      ...findSetters(manifest, document, mentions.namesOf),
      ...findLoneTags(document, mentions.releasesOf(manifest.path), mentions.imagesOf),
      ...findInlinePatches(manifest, document, mentions.imagesOf),
    ])
    .flatMap((slot) => {
      const weak = slot.kind === 'chart' && slot.names[0] !== change.name;
      const given = slot.keepsTag ? change : pinned(work, change);
      if (slot.names.includes(change.name) || isChartOf(slot, change.name, mentions))
        return [{ manifest, slot, writes: slot.write(given), weak }];
      if (change.newName === undefined || slot.names[0] !== change.newName) return [];
      const writes = slot.write(given);
      const done =
        typeof writes !== 'string' && writes.every((write) => write.type === 'set' && write.before === write.after);
      return done ? [{ manifest, slot, writes, weak }] : [];
    });
}

/** `<registry path>/<chart>`: the chart's name, and a repository with that path stands in one of the files. */
function isChartOf(slot: ImageSlot, name: string, mentions: Mentions): boolean {
  const chart = slot.names.at(-1) ?? '';
  return slot.kind === 'chart' && name.endsWith(`/${chart}`) && mentions.hasAddress(name.slice(0, -chart.length - 1));
}
