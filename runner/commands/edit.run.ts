import { normalize } from 'node:path';
import pMap from 'p-map';
import { parseImageFlag } from '../../src/app/image.ts';
import { parseAssignment } from '../../src/app/value.ts';
import { paceWith } from '../../src/delivery/pace.ts';
import { Fault } from '../../src/fault.ts';
import { parseSetterFlag } from '../../src/manifest/by-setter.ts';
import type { Edit, ManifestChange } from '../../src/manifest/change.ts';
import { unifiedDiff } from '../../src/manifest/diff.ts';
import { applyEdits, rawText } from '../../src/manifest/edit.ts';
import { parsePath } from '../../src/manifest/path.ts';
import { planInSteps } from '../../src/manifest/plan.ts';
import { holdsText } from '../../src/manifest/text.ts';
import type { StagedFile } from '../../src/systems/file-staging.ts';
import type { Files } from '../../src/systems/files.ts';
import type { CommandResult } from '../command.ts';
import type { Context } from '../context.ts';

/** Reads the files, plans the change over all of them, and writes those that change. */
export async function run(context: Context): Promise<CommandResult> {
  const { values, files } = context;
  const images = values.list('image').map(parseImageFlag);
  const assignments = values.list('set').map(parseAssignment);
  const setters = values.list('setter').map(parseSetterFlag);
  if (images.length + assignments.length + setters.length === 0) {
    throw new Fault('usage', 'nothing to change is given', { hint: 'Give --image, --set or --setter.' });
  }
  const document = values.string('document');
  if (document !== undefined && !/^(?:\d+|[^/]+\/.+)$/.test(document)) {
    throw new Fault('usage', `--document ${JSON.stringify(document)} is neither a number nor Kind/name`);
  }
  const { contents, named } = await readAll(files, values.arguments);
  if (contents.size === 0) {
    throw new Fault('file_missing', `there are no YAML files below ${values.arguments.join(', ')}`);
  }
  const steps = planInSteps({
    files: contents,
    images,
    setters,
    values: assignments.flatMap(({ path, value }) =>
      holdersOf(contents, named, path).map((file) => ({ file, path, value })),
    ),
    targets: [],
    mode: 'edit',
    named,
    ...(document !== undefined && { document }),
  });
  const change = await paceWith(context)(steps);
  const edited = change.files.map(({ path, edits }) => ({ path, before: contents.get(path)!, edits }));
  const diff = values.boolean('dry-run')
    ? edited.map(({ path, before, edits }) => unifiedDiff(path, rawText(before), edits, 'here')).join('')
    : undefined;
  if (diff === undefined) await writeAll(files, edited);
  report(context, change, contents.size);
  return {
    record: {
      outcome: edited.length > 0 ? 'changed' : 'unchanged',
      files: edited.map(({ path }) => path),
      targets: change.targets,
      notTaken: change.notTaken,
      ...(diff !== undefined && { diff }),
    },
    text: diff ?? edited.map(({ path }) => `${path}\n`).join(''),
    exit: 0,
  };
}

/** Contents by path as given; `named` are those that were not found through a folder. */
async function readAll(
  files: Files,
  given: readonly string[],
): Promise<{ contents: ReadonlyMap<string, Uint8Array>; named: ReadonlySet<string> }> {
  const named = new Set<string>();
  const paths = new Set<string>();
  for (const argument of given) {
    const listed = await files.list(argument);
    if (listed === null) {
      const path = normalize(argument);
      named.add(path);
      paths.add(path);
    } else for (const path of listed) if (/(?:\.ya?ml|(?:^|\/)Kustomization)$/i.test(path)) paths.add(path);
  }
  const read = await pMap(
    paths,
    async (path) => {
      const content = await files.read(path);
      if (content === null) throw new Fault('file_missing', 'there is no such file', { place: { file: path } });
      return [path, content] as const;
    },
    { concurrency: 16 },
  );
  return { contents: new Map(read), named };
}

/**
 * Files where a path is looked up: those named, and those of folders that hold its last key (a cheap look before
 * parsing). Fault `target_missing` where no file is left.
 */
function holdersOf(
  contents: ReadonlyMap<string, Uint8Array>,
  named: ReadonlySet<string>,
  path: string,
): readonly string[] {
  const keys = parsePath(path).flatMap((step) => (step.type === 'key' && !/^\d+$/.test(step.key) ? [step.key] : []));
  const word = /^[\w-]+/.exec(keys.at(-1) ?? '')?.[0] ?? '';
  const holding = [...contents].filter(([file, content]) => named.has(file) || holdsText(content, word));
  if (holding.length === 0) {
    throw new Fault('target_missing', `none of ${contents.size} files has the path ${JSON.stringify(path)}`);
  }
  return holding.map(([file]) => file);
}

/** Writes all files or none: all stand beside their places before the first takes it. */
async function writeAll(
  files: Files,
  edited: readonly { path: string; before: Uint8Array; edits: readonly Edit[] }[],
): Promise<void> {
  const staged: { readonly path: string; readonly before: Uint8Array; readonly file: StagedFile }[] = [];
  const failed: unknown[] = [];
  await pMap(
    edited,
    async ({ path, before, edits }) => {
      if (failed.length > 0) return;
      await files.stage(path, applyEdits(before, edits)).then(
        (file) => staged.push({ path, before, file }),
        (error: unknown) => failed.push(error),
      );
    },
    { concurrency: 16 },
  );
  const done: (typeof staged)[number][] = [];
  for (const each of failed.length > 0 ? [] : staged) {
    await each.file.commit().then(
      () => done.push(each),
      (error: unknown) => failed.push(error),
    );
    if (failed.length > 0) break;
  }
  if (failed.length === 0) return;
  await pMap(staged, ({ file }) => file.discard(), { concurrency: 16 });
  await pMap(done, ({ path, before }) => files.write(path, before).catch(() => undefined), { concurrency: 16 });
  throw failed[0];
}

/** Longer lists are cut on the terminal; the record has all. */
const toldAtMost = 20;

function report({ reporter }: Context, change: ManifestChange, seen: number): void {
  for (const { file, line, path, before, after } of change.targets.slice(0, toldAtMost)) {
    reporter.info(`${file}:${line} ${path}: ${before === '' ? '(none)' : before} → ${after === '' ? '(none)' : after}`);
  }
  const more = change.targets.length - toldAtMost;
  if (more > 0) reporter.info(`… and ${more} more`);
  for (const { file, line, reason, message } of change.notTaken) {
    reporter.detail(`${file}${line === undefined ? '' : `:${line}`} not taken (${reason}): ${message}`);
  }
  if (change.files.length === 0) reporter.info(`nothing to change in ${seen} file(s)`);
}
