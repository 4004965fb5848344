import type { ImageChange } from '../app/change.ts';
import { Fault, formatPlace } from '../fault.ts';
import type { NotTaken } from './change.ts';
import { nearestNames } from './nearest.ts';
import { holdsText } from './text.ts';
import { isManifestPath, openFile } from './open.ts';
import { tagsWithoutName } from './target/lone-tag.ts';
import type { PlanInput } from './work.ts';

/** Named files are opened at most so many, when nothing was found, to tell what is wrong with them. */
const openedAtMost = 200;

const ownValue =
  'Give this environment an entry or a patch of its own, or ask for all environments that reach the shared file.';

const sameName = ', with a registry beside it, or in a place that has to be named by path';

/**
 * The fault of an image that no file holds: `encrypted` where only encrypted files do, the fault of a named file that
 * cannot be read, else `target_missing` with the nearest names. Adds the near ones to the notes of the plan.
 */
export function missingImage(input: PlanInput, change: ImageChange, passed: readonly NotTaken[]): Fault {
  const encrypted = passed.find(({ reason }) => reason === 'encrypted');
  if (encrypted) {
    return new Fault('encrypted', `${change.name} stands in an encrypted file only: ${encrypted.message}`, {
      place: { file: encrypted.file },
    });
  }
  for (const path of [...(input.named ?? [])].slice(0, openedAtMost)) {
    const opened = openFile(path, input.files.get(path)!);
    if (opened.type === 'unparsable') return opened.fault;
  }
  const hidden = hiddenByEncryption(input);
  if (hidden !== null) {
    return new Fault('encrypted', `${change.name} was not found, and image values here are encrypted`, {
      place: { file: hidden },
    });
  }
  const document = input.document === undefined ? '' : ` (document ${input.document} alone)`;
  const left = new Set(passed.filter(({ reason }) => reason !== 'precedence').map(({ file }) => file));
  const here = nearestNames(change.name, input.files).filter(
    ({ name, file }) => name !== change.name || !left.has(file),
  );
  const there = nearestNames(change.name, input.elsewhere ?? new Map());
  const lines = [
    ...here.map((near) => `${near.name} (${formatPlace(near)}${near.name === change.name ? sameName : ''})`),
    ...there.map((near) => `${near.name} in another environment (${formatPlace(near)})`),
    ...passed
      .filter(({ reason }) => reason === 'shared' || reason === 'template' || reason === 'unparsable')
      .map(({ file, reason, message }) => `${file} was not taken (${reason}): ${message}`),
    ...loneTags(input),
  ];
  const advice = passed.some(({ reason }) => reason === 'shared') ? ` ${ownValue}` : '';
  return new Fault(
    'target_missing',
    `no target holds the image ${change.name} in ${input.files.size} file(s)${document}`,
    {
      hint: lines.length === 0 ? undefined : `Nearest: ${lines.join('; ')}.${advice}`,
    },
  );
}

/** Where Helm values hold a tag without its repository. */
function loneTags(input: PlanInput): readonly string[] {
  const holding = [...input.files].filter(
    ([path, content]) => isManifestPath(path) && holdsText(content, 'mage') && holdsText(content, 'tag'),
  );
  return holding
    .slice(0, openedAtMost)
    .flatMap(([path, content]) => {
      const opened = openFile(path, content);
      if (opened.type !== 'manifest') return [];
      return opened.file.documents
        .flatMap(tagsWithoutName)
        .map(({ path: where, offset }) => `${formatPlace(opened.file.place(offset))} ${where}`);
    })
    .slice(0, 3)
    .map((where) => `${where}, a tag without a repository, to be named by path`);
}

/** A file whose image values SOPS has encrypted, so that no name can be seen. */
function hiddenByEncryption(input: PlanInput): string | null {
  for (const [path, content] of input.files) {
    if (!holdsText(content, 'ENC[AES256_GCM')) continue;
    if (
      /(?:image|repository|tag|newTag|newName|digest)["']?\s*[:=]\s*["']?ENC\[AES256_GCM/i.test(
        new TextDecoder().decode(content),
      )
    )
      return path;
  }
  return null;
}
