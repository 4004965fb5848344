import { Fault } from '../fault.ts';
import { formatRevision, shortCommit } from '../revision.ts';
import type { Files } from '../systems/files.ts';
import type { Kustomize } from '../systems/kustomize.ts';
import type { Registry } from '../systems/registry.ts';
import type { Signer } from '../systems/signer.ts';
import type { Ancestry } from './ancestry.ts';
import type { Evaluated, Item, Limits } from './evaluate.ts';
import { readLayout } from './layout-read.ts';
import type { LedgerEntry } from './ledger.ts';
import { faultOutcome, type Outcome } from './outcome.ts';
import type { BuildFolder } from './prove.ts';
import { layoutOf, pushArtifact } from './push.ts';
import type { Snapshot } from './snapshot.ts';
import { readStanding, type Standing } from './standing.ts';
import { furtherTag, immutableTag } from './tags.ts';
import { certify } from './certify.ts';

/** What all items of a run share. */
export interface Run {
  readonly snapshot: Snapshot;
  readonly ancestry: Ancestry;
  /** null: nothing is read or pushed (`--oci-layout`, `source: git` without a registry). */
  readonly registry: Registry | null;
  /** null: artifacts are not signed. */
  readonly signer: Signer | null;
  readonly files: Files;
  readonly kustomize: Kustomize;
  /** Another commit, or ours with the files that .sourceignore leaves out. Fault `commit_missing`. */
  open(sha: string, options: { readonly ignore: boolean }): Promise<Snapshot>;
  /** The full tree, ready to be built; made on first use. */
  full(): Promise<BuildFolder>;
  readonly project: string;
  readonly branch: string;
  /** Address of the delivery repository, for the annotation. */
  readonly source: string;
  readonly limits: Limits;
  /** Templates of further tags. */
  readonly tags: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly dryRun: boolean;
  /** Write layouts below this folder instead of pushing. */
  readonly layoutFolder: string | null;
  /** Push the layouts below this folder, as far as they hold what the commit gives, instead of writing new ones. */
  readonly fromLayout: string | null;
  /** The reason given for passing gates and guards, or null. */
  readonly override: string | null;
  /** Why nothing may move in an environment, or null. */
  closedGate(environment: string): string | null;
  readonly notice: (text: string) => void;
  /** Cancellation or deadline. */
  readonly signal?: AbortSignal | undefined;
  /** Cancellation alone, which ends the whole run. */
  readonly canceled?: AbortSignal | undefined;
}

/**
 * Decides about one item and, unless it is a dry run, acts: never backwards, nothing for unchanged content, proof before
 * a push. Every `Fault` becomes an outcome; nothing else is caught but an abort, which is thrown on.
 */
export async function publishItem(
  run: Run,
  item: Evaluated,
  entry: LedgerEntry | undefined,
  /** The last commit that was evaluated for it; null: none is known. */
  since: string | null,
  /** What stands, where it has been read already. */
  read?: Promise<Standing | null>,
): Promise<Outcome> {
  const { sha } = run.snapshot.commit;
  const tags = [item.pair.tag, immutableTag(item.pair.environment.name, sha)];
  try {
    const stands = {
      commit: entry?.commit ?? sha,
      digest: entry?.digest ?? null,
      contentDigest: entry?.contentDigest ?? null,
    };
    const relation = since === null ? 'ahead' : await run.ancestry.relation(since);
    if (relation === 'behind' && since !== null) return superseded(since, stands, tags);
    if (relation === 'diverged')
      run.notice(`history was rewritten: ${shortCommit(since ?? '')} is not below ${shortCommit(sha)}`);
    if (item.state !== 'ready') throw item.fault;
    const { contentDigest } = item;
    if (entry?.contentDigest === contentDigest) {
      return {
        ...stands,
        contentDigest,
        outcome: 'unchanged',
        reason: `as of ${shortCommit(entry.commit)}`,
        tags: tags.slice(0, 1),
      };
    }
    if (item.pair.source === 'git') {
      const what = entry ? 'git holds new content below the roots' : 'git holds it';
      const reason = `${what}: Flux follows the branch, and no artifact is pushed`;
      return { outcome: 'pushed', reason, digest: null, contentDigest, commit: sha, tags: [] };
    }
    const ask = (registry: Registry) => readStanding(registry, item.artifact.repository, item.pair.tag, run.signal);
    const standing = run.registry && (await (read ?? ask(run.registry)));
    const outcome = await publishChanged(run, item, entry, standing, tags);
    return since === null && standing?.commit ? { ...outcome, before: standing.commit } : outcome;
  } catch (error) {
    run.canceled?.throwIfAborted();
    if (error instanceof Fault) return faultOutcome(error, sha, tags.slice(0, 1), entry);
    throw error;
  }
}

async function publishChanged(
  run: Run,
  item: Extract<Evaluated, { state: 'ready' }>,
  entry: LedgerEntry | undefined,
  standing: Standing | null,
  tags: readonly string[],
): Promise<Outcome> {
  const { commit } = run.snapshot;
  const { registry, signal } = run;
  const environment = item.pair.environment.name;
  const unchanged = (contentDigest: string): Outcome | null =>
    standing?.contentDigest === contentDigest
      ? {
          outcome: 'unchanged',
          reason: `the registry has it${standing.commit ? ` as of ${shortCommit(standing.commit)}` : ''}`,
          digest: standing.digest,
          contentDigest,
          commit: standing.commit ?? commit.sha,
          tags: tags.slice(0, 1),
        }
      : null;
  const same = unchanged(item.contentDigest);
  if (same) return same;
  if (standing?.commit && (await run.ancestry.relation(standing.commit)) === 'behind') {
    return superseded(standing.commit, { ...standing, commit: standing.commit }, tags);
  }
  const closed = run.closedGate(environment);
  if (closed !== null) {
    return {
      outcome: 'held',
      reason: closed,
      digest: standing?.digest ?? null,
      contentDigest: standing?.contentDigest ?? null,
      commit: standing?.commit ?? commit.sha,
      tags: tags.slice(0, 1),
    };
  }
  const certified = await certify(run, item, entry, standing);
  const { contentDigest, selection, said } = certified;
  const again = unchanged(contentDigest);
  if (again) return again;
  if (entry?.contentDigest === contentDigest) {
    const { digest, commit: of } = entry;
    return {
      outcome: 'unchanged',
      reason: `as of ${shortCommit(of)}`,
      digest,
      contentDigest,
      commit: of,
      tags: tags.slice(0, 1),
    };
  }
  const description = {
    title: item.artifact.name,
    revision: formatRevision(run.branch, commit.sha),
    source: run.source,
    createdAt: commit.committedAt,
  };
  const overridden = run.override === null ? [] : [`overridden: ${run.override}`];
  const reason = [standing ? 'new content' : 'first push', ...said, ...overridden].join('; ');
  const place = { sha: commit.sha, branch: run.branch };
  const filled = run.tags.map((template) => furtherTag(template, item, place));
  const moreTags = [...new Set(filled)].filter((tag) => !tags.includes(tag));
  const allTags = [...tags, ...moreTags];
  const planned = { outcome: 'pushed', reason, contentDigest, commit: commit.sha, tags: allTags } as const;
  const written = run.fromLayout === null ? null : await writtenLayout(run, item, contentDigest, description.revision);
  if (run.dryRun) return { ...planned, digest: null };
  if (registry === null) {
    const folder = `${run.layoutFolder}/${environment}/${item.artifact.name}`;
    const { digest } = await layoutOf(run.files, folder, run.snapshot, selection, description, allTags, signal);
    return { ...planned, digest, reason: [`written to ${folder}`, ...said].join('; ') };
  }
  const pushed = await pushArtifact({
    registry,
    files: run.files,
    ancestry: run.ancestry,
    snapshot: run.snapshot,
    selection,
    description,
    repository: item.artifact.repository,
    environment,
    tag: item.pair.tag,
    written,
    signer: run.signer,
    moreTags,
    signal,
  });
  if (pushed.outcome === 'superseded') return superseded(pushed.commit, { ...pushed, contentDigest: null }, tags);
  return { ...planned, digest: pushed.digest, reason: [reason, ...(pushed.note ? [pushed.note] : [])].join('; ') };
}

function superseded(
  by: string,
  stands: { readonly digest: string | null; readonly contentDigest: string | null; readonly commit: string },
  tags: readonly string[],
): Outcome {
  return {
    ...stands,
    outcome: 'superseded',
    reason: `a newer commit stands: ${shortCommit(by)}`,
    tags: tags.slice(0, 1),
  };
}

/** The layout that an earlier job wrote for an item: it is pushed only where it holds exactly what the commit gives. */
async function writtenLayout(run: Run, { pair, artifact }: Item, contentDigest: string, revision: string) {
  const folder = `${run.fromLayout}/${pair.environment.name}/${artifact.name}`;
  const own = immutableTag(pair.environment.name, run.snapshot.commit.sha);
  const image = await readLayout(run.files, folder, own, 2 * run.limits.bytes + 1024 ** 2);
  if (image.contentDigest === contentDigest && image.revision === revision) return { folder, digest: image.digest };
  throw new Fault(
    'tree_refused',
    `${folder} holds ${image.contentDigest} of ${image.revision}, not what ${revision} gives`,
    {
      hint: 'Somebody changed it, or it was written with other settings: write it again with `sluice publish --oci-layout DIR`.',
    },
  );
}
