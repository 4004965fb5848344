import { posix } from 'node:path';
import { Fault } from '../fault.ts';
import { fluxObjects, sourcePath } from '../manifest/reach-flux.ts';
import { evaluate, type Evaluated } from './evaluate.ts';
import type { LedgerEntry } from './ledger.ts';
import { materialize, prove, type Proof } from './prove.ts';
import type { Run } from './publish-item.ts';
import { sameSourceOf } from './same-source.ts';
import type { Selection } from './select.ts';
import { refuseShrinking } from './shrink.ts';
import type { Standing } from './standing.ts';

type Ready = Extract<Evaluated, { state: 'ready' }>;

/** A selection that may be pushed, and what must be said about it. */
export interface Certified {
  readonly selection: Selection;
  readonly contentDigest: string;
  readonly said: readonly string[];
}

/**
 * Proves that an artifact builds to what the full tree builds to. Where it does not, or was not understood, the folder
 * is taken too, and that is said. An artifact that lacks objects which git did not delete is refused, unless overridden.
 * Faults `build_refused`, `prune_refused`, and those of the selection.
 */
export async function certify(
  run: Run,
  item: Ready,
  entry: LedgerEntry | undefined,
  standing: Standing | null,
): Promise<Certified> {
  const { certified, rendered } = await provenSelection(run, item);
  if (run.override !== null || rendered === null) return certified;
  const note = await refuseShrinking(run, { ...item, ...certified }, entry, standing, rendered);
  return note === null ? certified : { ...certified, said: [...certified.said, note] };
}

/** `rendered`: the YAML of all that Flux builds from the selection; null where nothing could be proven. */
async function provenSelection(
  run: Run,
  item: Ready,
): Promise<{ readonly certified: Certified; readonly rendered: readonly string[] | null }> {
  const said = item.selection.by === 'wide' ? [`${wideText(item)} (${item.selection.notes.join('; ')})`] : [];
  const { selection, contentDigest } = item;
  const first = await proofOf(run, item);
  if (first.proven) {
    const more = selection.by === 'folder' ? [] : foundByBuild(run, item, first.rendered);
    if (more.length === 0) return { certified: { selection, contentDigest, said }, rendered: first.rendered };
    const wide = await widen(run, item, first.rendered);
    const why = `${wideText(item)} (the build names ${more.join(', ')})`;
    const { rendered } = await provenWide(run, wide);
    return { certified: { selection: wide.selection, contentDigest: wide.contentDigest, said: [why] }, rendered };
  }
  if (isRemote(item, first.why)) {
    return { certified: { selection, contentDigest, said: [...said, `not proven: ${first.why}`] }, rendered: null };
  }
  if (selection.by === 'wide') throw incomplete(item, first);
  const wide = await widen(run, item, []);
  const { rendered } = await provenWide(run, wide);
  const why = `${wideText(item)} (${first.why})`;
  return { certified: { selection: wide.selection, contentDigest: wide.contentDigest, said: [why] }, rendered };
}

async function provenWide(run: Run, wide: Ready): Promise<Extract<Proof, { proven: true }>> {
  const proof = await proofOf(run, wide);
  if (!proof.proven) throw incomplete(wide, proof);
  return proof;
}

async function proofOf(run: Run, item: Ready): Promise<Proof> {
  const { files, kustomize, snapshot, signal } = run;
  const content = snapshot.files(item.selection.entries, signal);
  await using part = await materialize({ files, kustomize, content, signal });
  try {
    const roots = item.artifact.roots.length;
    // With `files: folder` children elsewhere are the user's own affair.
    const builds = item.selection.by === 'folder' ? item.selection.builds.slice(0, roots) : item.selection.builds;
    return await prove(part, await run.full(), builds, roots);
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'build_refused') throw error;
    if (isRemote(item, error.message)) return { proven: false, why: error.message, missing: [] };
    const left = snapshot.ignored.filter((path) => error.message.includes(posix.basename(path)));
    if (left.length === 0) throw error;
    throw new Fault(error.code, error.message, {
      hint: `Flux’s ignore rules leave ${left.join(', ')} out: bring it back with a rule such as !${posix.basename(left[0] ?? '')} in .sourceignore.`,
    });
  }
}

/** Only the cluster may reach a remote base: a build that fails for it proves nothing either way. */
function isRemote(item: Ready, text: string): boolean {
  return (
    item.selection.notes.some((note) => note.endsWith('is remote')) &&
    /git fetch|git repository|Could not resolve|no such host|connection refused|dial tcp|status code|timeout/i.test(
      text,
    )
  );
}

async function widen(run: Run, item: Ready, rendered: readonly string[]): Promise<Ready> {
  const { project, limits, signal } = run;
  const [wide] = await evaluate(run.snapshot, [item], { project, limits, wide: { rendered }, signal });
  if (wide?.state === 'ready') return wide;
  throw wide?.fault ?? incomplete(item, null);
}

/** What rendered Flux objects of the same source need, and the selection does not hold: paths of the tree. */
function foundByBuild(run: Run, item: Ready, rendered: readonly string[]): readonly string[] {
  const { tree } = run.snapshot;
  const same = sameSourceOf(item.artifact.repository, run.project);
  const built = new Set(item.selection.builds.map((build) => build.folder));
  const held = new Set(item.selection.entries.map(({ path }) => path));
  const isMissing = (use: string, path: string) => {
    if (use === 'build') return tree.isDirectory(path) && !built.has(path);
    const files = use === 'chart' && tree.isDirectory(path) ? tree.below(path) : [path];
    return files.some((file) => tree.has(file) && !held.has(file));
  };
  const paths = rendered.flatMap((yaml) => {
    const { references, sources } = fluxObjects(yaml);
    return references.flatMap(({ use, source, path }) => {
      const definition = sources.find((one) => one.kind === source.kind && one.name === source.name) ?? null;
      const inside = sourcePath(path);
      return same(source, definition) && isMissing(use, inside) ? [inside] : [];
    });
  });
  return [...new Set(paths)];
}

function incomplete(item: Ready, proof: Proof | null): Fault {
  const name = `${item.pair.environment.name}/${item.artifact.name}`;
  if (!proof || proof.proven) return new Fault('selection_empty', `${name}: nothing to publish`);
  if (proof.missing.length > 0) {
    const missing = proof.missing.slice(0, 5).join(', ');
    return new Fault('prune_refused', `${name}: ${proof.why}: it would lose ${missing}, which git still holds`);
  }
  return new Fault('build_refused', `${name}: ${proof.why}`, {
    hint: 'Check what the roots reach; `files: folder` with a wider `path` takes everything below it.',
  });
}

function wideText(item: Ready): string {
  return `${item.artifact.path} is taken with everything reached`;
}
