import { Fault } from '../fault.ts';
import { reach } from '../manifest/reach.ts';
import { treeOf } from '../manifest/tree.ts';
import { shortCommit } from '../revision.ts';
import type { HeldFile } from './archive.ts';
import { evaluate, type Evaluated, type Item } from './evaluate.ts';
import { formerFiles } from './former.ts';
import type { LedgerEntry } from './ledger.ts';
import { materialize, type BuildFolder, type BuiltFolder } from './prove.ts';
import type { Run } from './publish-item.ts';
import { objectsIn } from './rendered.ts';
import { sameSourceOf } from './same-source.ts';
import type { Snapshot } from './snapshot.ts';
import type { Standing } from './standing.ts';

type Ready = Extract<Evaluated, { state: 'ready' }>;

/** Objects shown in a message. */
const MOST_NAMED = 5;

/**
 * Refuses (Fault `prune_refused`) an artifact that lacks objects of the one that stands, unless git deleted them: Flux
 * would prune live ones. Deleted are objects that the roots gave at the commit that stands and do not give any more with
 * all files of ours, those that ignore rules hide and roots that sluice.yaml no longer lists included. `rendered` is the
 * YAML of the new artifact. Answers a sentence where the comparison was not possible, else null.
 */
export async function refuseShrinking(
  run: Run,
  item: Ready,
  entry: LedgerEntry | undefined,
  standing: Standing | null,
  rendered: readonly string[],
): Promise<string | null> {
  if (!standing || !run.registry) return null;
  const former = await formerFiles(run.registry, item.artifact.repository, standing, run.signal);
  if (!former) return 'the artifact that stands could not be read for comparison';
  const roots = entry && entry.roots.length > 0 ? entry.roots : item.artifact.roots;
  const kept = new Set(rendered.flatMap(objectsIn));
  const stood = await objectsOfFiles(run, { ...item, artifact: { ...item.artifact, roots } }, former);
  const vanished = stood.filter((object) => !kept.has(object));
  if (vanished.length === 0) return null;
  const name = `${item.pair.environment.name}/${item.artifact.name}`;
  const held = await objectsAt(run, await run.open(run.snapshot.commit.sha, { ignore: false }), item, roots);
  refuse(
    vanished.filter((object) => held.has(object)),
    (objects) => [
      `${name}: ${objects} would be pruned, but git still holds it: ${reasonOf(item, roots)}`,
      'Delete it from git as well, or bring it back into the artifact; --override REASON publishes all the same.',
    ],
  );
  if (standing.contentDigest !== null || standing.commit === null) return null;
  const { commit } = standing;
  const before = await openKnown(run, commit);
  const gave = before && (await objectsAt(run, before, item, roots));
  refuse(gave ? vanished.filter((object) => !gave.has(object)) : [], (objects) => [
    `${name}: ${objects} would be pruned, which git did not hold at ${shortCommit(commit)} either: the artifact that stands was made by other means`,
    'Add it to git, or publish with --override REASON if it may go.',
  ]);
  return null;
}

function refuse(objects: readonly string[], words: (objects: string) => readonly [string, string]): void {
  if (objects.length === 0) return;
  const more = objects.length > MOST_NAMED ? ` and ${objects.length - MOST_NAMED} more` : '';
  const [message, hint] = words(objects.slice(0, MOST_NAMED).join(', ') + more);
  throw new Fault('prune_refused', message, { hint });
}

function reasonOf(item: Ready, roots: readonly string[]): string {
  const dropped = roots.filter((root) => !item.artifact.roots.includes(root));
  return dropped.length > 0
    ? `root ${dropped.join(', ')} is no longer part of the artifact`
    : 'ignore rules (.sourceignore) hide it';
}

/** The objects of an artifact's files; folders that cannot be built have none. */
async function objectsOfFiles(run: Run, item: Item, files: readonly HeldFile[]): Promise<readonly string[]> {
  const { pair, artifact } = item;
  const contents = new Map(files.map(({ path, content }) => [path, Buffer.from(content).toString()]));
  const sameSource = sameSourceOf(artifact.repository, run.project);
  const { builds } = reach({ roots: artifact.roots, tree: treeOf(contents.keys()), contents, sameSource });
  await using folder = await materialize({ ...run, content: files });
  return await objectsOf(folder, pair.files === 'folder' ? builds.slice(0, artifact.roots.length) : builds);
}

/** The objects that roots give at a commit. */
async function objectsAt(
  run: Run,
  snapshot: Snapshot,
  item: Item,
  roots: readonly string[],
): Promise<ReadonlySet<string>> {
  const standing = roots.filter((root) => snapshot.tree.isDirectory(root === '.' ? '' : root));
  if (standing.length === 0) return new Set();
  const { project, limits, signal } = run;
  const asked = { pair: item.pair, artifact: { ...item.artifact, roots: standing } };
  const [found] = await evaluate(snapshot, [asked], { project, limits, signal, wide: { rendered: [] } });
  if (found?.state !== 'ready') return new Set();
  const { builds, entries } = found.selection;
  await using folder = await materialize({ ...run, content: snapshot.files(entries, signal) });
  return new Set(await objectsOf(folder, item.pair.files === 'folder' ? builds.slice(0, standing.length) : builds));
}

async function objectsOf(folder: BuildFolder, builds: readonly BuiltFolder[]): Promise<readonly string[]> {
  const objects: string[] = [];
  for (const build of builds) {
    const built = await folder.build(build);
    if (built.ok) objects.push(...objectsIn(built.yaml));
  }
  return objects;
}

/** A commit that a force-push or a shallow clone took away proves nothing. */
async function openKnown(run: Run, commit: string): Promise<Snapshot | null> {
  try {
    return await run.open(commit, { ignore: true });
  } catch (error) {
    if (error instanceof Fault && error.code === 'commit_missing') return null;
    throw error;
  }
}
