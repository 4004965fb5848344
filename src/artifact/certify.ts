import { posix } from 'node:path';
import { Fault } from '../fault.ts';
import { fluxObjects } from '../manifest/reach-flux.ts';
import { resolveInside } from '../manifest/reach-kustomization.ts';
import { evaluate, type Evaluated } from './evaluate.ts';
import type { LedgerEntry } from './ledger.ts';
import { materialize, prove, type Proof } from './prove.ts';
import type { Run } from './publish-item.ts';
import { objectsIn } from './rendered.ts';
import { sameSourceOf } from './same-source.ts';
import type { Selection } from './select.ts';

type Ready = Extract<Evaluated, { state: 'ready' }>;

/** A selection that may be pushed, and what must be said about it. */
export interface Certified {
  readonly selection: Selection;
  readonly contentDigest: string;
  readonly said: readonly string[];
}

/**
 * Proves that an artifact builds to what the full tree builds to. Where it does not, or was not understood, the folder
 * is taken too, and that is said. Faults `build_refused`, `prune_refused`, and those of the selection.
 */
export async function certify(run: Run, item: Ready, entry: LedgerEntry | undefined): Promise<Certified> {
  if (run.override === null) await refuseDroppedRoots(run, item, entry);
  const said = item.selection.by === 'wide' ? [`${wideText(item)} (${item.selection.notes.join('; ')})`] : [];
  const first = await proofOf(run, item);
  if (first.proven) {
    const more = item.selection.by === 'folder' ? [] : foundByBuild(run, item, first.rendered);
    if (more.length === 0) return { selection: item.selection, contentDigest: item.contentDigest, said };
    const wide = await widen(run, item, more);
    return { ...wide, said: [`${wideText(item)} (the build names ${more.join(', ')})`] };
  }
  if (isRemote(item, first.why)) {
    return {
      selection: item.selection,
      contentDigest: item.contentDigest,
      said: [...said, `not proven: ${first.why}`],
    };
  }
  if (item.selection.by === 'wide') throw incomplete(item, first);
  const wide = await widen(run, item, []);
  const second = await proofOf(run, wide);
  if (!second.proven) throw incomplete(item, second);
  return { ...wide, said: [`${wideText(item)} (${first.why})`] };
}

async function proofOf(run: Run, item: Ready): Promise<Proof> {
  const { files, kustomize, snapshot, signal } = run;
  await using part = await materialize({ files, kustomize, snapshot, entries: item.selection.entries, signal });
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

async function widen(run: Run, item: Ready, roots: readonly string[]): Promise<Ready> {
  const { project, limits, signal } = run;
  const [wide] = await evaluate(run.snapshot, [item], { project, limits, wide: { roots }, signal });
  if (wide?.state === 'ready') return wide;
  throw wide?.fault ?? incomplete(item, null);
}

/** Folders that rendered Flux objects of the same source build, and that the selection does not hold. */
function foundByBuild(run: Run, item: Ready, rendered: readonly string[]): readonly string[] {
  const same = sameSourceOf(item.artifact.repository, run.project);
  const known = new Set(item.selection.builds.map((build) => build.folder));
  const paths = rendered.flatMap((yaml) => {
    const { references, sources } = fluxObjects(yaml);
    return references.flatMap(({ use, source, path }) => {
      const definition = sources.find((one) => one.kind === source.kind && one.name === source.name) ?? null;
      const folder = use === 'build' && same(source, definition) ? resolveInside('', path) : null;
      return folder !== null && run.snapshot.tree.isDirectory(folder) && !known.has(folder) ? [folder] : [];
    });
  });
  return [...new Set(paths)];
}

/** A root that was built before, is still in git, and would be gone from the artifact: Flux would prune its objects. */
async function refuseDroppedRoots(run: Run, item: Ready, entry: LedgerEntry | undefined): Promise<void> {
  const held = new Set(item.selection.entries.map((file) => file.path));
  const dropped = (entry?.roots ?? []).filter(
    (root) =>
      !item.artifact.roots.includes(root) &&
      run.snapshot.tree.below(root === '.' ? '' : root).some((path) => !held.has(path)),
  );
  for (const root of dropped) {
    const full = await run.full();
    const built = await full.build({ folder: root === '.' ? '' : root, components: [] });
    const objects = built.ok ? objectsIn(built.yaml) : [];
    if (objects.length === 0) continue;
    throw new Fault(
      'prune_refused',
      `${item.artifact.name}: root ${root} is no longer part of the artifact, but git still holds it: ${objects.slice(0, 5).join(', ')} would be pruned`,
      { hint: `Delete ${root} from git as well, or keep it in \`roots\`; --override REASON publishes all the same.` },
    );
  }
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
