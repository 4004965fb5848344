import type { Pair } from '../config/config.ts';
import { Fault } from '../fault.ts';
import { archive, contentDigest } from './archive.ts';
import { sameSourceOf, type PairArtifact } from './same-source.ts';
import { selectFiles, type Selection, type SelectionInput } from './select.ts';
import type { Snapshot } from './snapshot.ts';

/** One artifact of one app in one environment. */
export interface Item {
  readonly pair: Pair;
  readonly artifact: PairArtifact;
}

/** Most files and bytes that an artifact may hold. */
export interface Limits {
  readonly files: number;
  readonly bytes: number;
}

/** An item with its content at one commit. `absent`: there is nothing of it in the commit. */
export type Evaluated = Item &
  (
    | { readonly state: 'ready'; readonly selection: Selection; readonly contentDigest: string }
    | { readonly state: 'absent'; readonly fault: Fault }
    | { readonly state: 'faulty'; readonly fault: Fault }
  );

/**
 * Selects the files of many items and computes their content digests, with git's objects read in few batches.
 * `project` is the delivery project's path. `wide`: folder and reached together, with what Flux objects in the rendered YAML name.
 */
export async function evaluate(
  snapshot: Snapshot,
  items: readonly Item[],
  options: {
    readonly project: string;
    readonly limits: Limits;
    readonly wide?: { readonly rendered: readonly string[] };
    readonly signal?: AbortSignal | undefined;
  },
): Promise<readonly Evaluated[]> {
  const read: SelectionInput['read'] = new Map();
  const select = ({ pair, artifact }: Item) =>
    selectFiles({
      files: pair.files,
      path: artifact.path,
      roots: artifact.roots,
      rendered: options.wide?.rendered ?? [],
      entries: snapshot.entries,
      tree: snapshot.tree,
      contents: snapshot.texts,
      sameSource: sameSourceOf(artifact.repository, options.project),
      read,
      wide: options.wide !== undefined,
    });
  const answers = new Map<Item, ReturnType<typeof select>>();
  for (let open: readonly Item[] = items; open.length > 0;) {
    for (const item of open) answers.set(item, select(item));
    open = open.filter((item) => (answers.get(item)?.needs.length ?? 0) > 0);
    const needs = new Set(open.flatMap((item) => answers.get(item)?.needs ?? []));
    if (needs.size > 0) await snapshot.readTexts([...needs]);
  }
  const faults = new Map(items.map((item) => [item, problem(item, answers.get(item), snapshot, options.limits)]));
  await snapshot.prefetch(
    items.flatMap((item) => (faults.get(item) ? [] : (answers.get(item)?.selection.entries ?? []))),
  );
  const evaluated: Evaluated[] = [];
  for (const item of items) {
    const fault = faults.get(item);
    const selection = answers.get(item)?.selection;
    if (fault || !selection) {
      const gone = item.artifact.roots.every((root) => !snapshot.tree.isDirectory(folderOf(root)));
      if (fault) evaluated.push({ ...item, state: gone ? 'absent' : 'faulty', fault });
      continue;
    }
    try {
      const digest = await contentDigest(archive(snapshot.files(selection.entries, options.signal)));
      evaluated.push({ ...item, state: 'ready', selection, contentDigest: digest });
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      evaluated.push({ ...item, state: 'faulty', fault: error });
    }
  }
  return evaluated;
}

function problem(
  { pair, artifact }: Item,
  answer: ReturnType<typeof selectFiles> | undefined,
  snapshot: Snapshot,
  limits: Limits,
): Fault | null {
  const name = `${pair.environment.name}/${artifact.name}`;
  const missing = artifact.roots.filter((root) => !snapshot.tree.isDirectory(folderOf(root)));
  if (missing.length > 0) {
    return new Fault(
      'selection_empty',
      `${name}: ${missing.join(', ')} is not in commit ${snapshot.commit.sha.slice(0, 12)}`,
      {
        hint: `Check \`path\` and \`roots\` of ${pair.app.name} in sluice.yaml; only folders with files are in git.`,
      },
    );
  }
  if (!answer || answer.selection.entries.length === 0) {
    return new Fault('selection_empty', `${name}: nothing is reached from ${artifact.roots.join(', ')}`);
  }
  if (answer.barred.length > 0) return new Fault('tree_refused', `${name}: ${answer.barred.join('; ')}`);
  if (answer.refused.length > 0) return new Fault('build_refused', `${name}: ${answer.refused.join('; ')}`);
  const { entries } = answer.selection;
  const bytes = entries.reduce((sum, entry) => sum + (entry.size ?? 0), 0);
  if (entries.length > limits.files || bytes > limits.bytes) {
    const limit = entries.length > limits.files ? `${limits.files} files` : `${limits.bytes} bytes`;
    return new Fault('too_large', `${name} has ${entries.length} files and ${bytes} bytes: more than ${limit}`, {
      hint: 'Exclude files with .sourceignore, choose `files: reached`, or raise --max-files and --max-bytes.',
    });
  }
  return null;
}

function folderOf(root: string): string {
  return root === '.' ? '' : root;
}
