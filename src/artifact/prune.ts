import pMap from 'p-map';
import type { Config } from '../config/config.ts';
import { Fault, faultRecord, worstExit, type ExitCode, type FaultRecord } from '../fault.ts';
import { formatRevision } from '../revision.ts';
import type { Clock } from '../systems/clock.ts';
import type { Files } from '../systems/files.ts';
import type { GitRepository } from '../systems/git.ts';
import type { Registry } from '../systems/registry.ts';
import { ancestryOf, type Relation } from './ancestry.ts';
import { userOf, type Uses } from './in-use.ts';
import type { Ledger } from './ledger.ts';
import { readLedger, writeLedger } from './ledger-store.ts';
import { planRetention, type FoundTag, type Keep, type RetentionItem } from './retention.ts';
import { sitesOf, type Site } from './sites.ts';
import { readStanding } from './standing.ts';
import { removeTags } from './untag.ts';

/** What `publish --prune` works with. */
export interface PruneSystems {
  readonly git: GitRepository;
  readonly registry: Registry;
  readonly files: Files;
  readonly clock: Clock;
}

/** What is asked. */
export interface PruneInput {
  readonly config: Config;
  readonly project: string;
  readonly branch: string;
  /** Delivery commit whose sluice.yaml counts, 40 hex digits. */
  readonly sha: string;
  readonly source: string;
  /** `host/path` for {registry}. */
  readonly registryName: string;
  readonly ledgerRepository: string;
  readonly keep: Keep;
  /** Only these; empty: all. Names that sluice.yaml no longer has are understood. */
  readonly environments: readonly string[];
  readonly apps: readonly string[];
  /** What the clusters that could be asked hold on to. */
  readonly uses: readonly Uses[];
  readonly dryRun: boolean;
  readonly parallel: number;
  readonly notice: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** removed · planned (dry run) · kept · protected: a tag rule of the project forbids it · failed: see `fault`. */
export type PruneOutcome = 'removed' | 'planned' | 'kept' | 'protected' | 'failed';

/** One tag. */
export interface PrunedTag {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
  readonly environment: string | null;
  readonly artifact: string | null;
  readonly outcome: PruneOutcome;
  readonly reason: string;
  /** Kept although the bounds would remove it. */
  readonly inUse: boolean;
  readonly fault?: FaultRecord;
}

/** What came of it. */
export interface Pruned {
  readonly tags: readonly PrunedTag[];
  readonly exit: ExitCode;
}

/** Former texts of sluice.yaml that are read for places which it no longer names. */
const MOST_VERSIONS = 500;
const READS = 8;

/**
 * Removes what `planRetention` says, after the ledgers have let go of it: where it ends in between, the next run finds
 * the same and completes it. Faults of `Registry`, `commit_missing`, `unknown_environment`, `unknown_app`.
 */
export async function prune(systems: PruneSystems, input: PruneInput): Promise<Pruned> {
  const { registry, clock } = systems;
  const { sha, signal, keep } = input;
  const ledgers = await ledgersOf(registry, input);
  const { sites, unread } = sitesOf({
    config: input.config,
    former: await formerTexts(systems.git, input),
    ledgers: [...ledgers.values()],
    registry: input.registryName,
  });
  if (unread > 0)
    input.notice(`${unread} former texts of ${input.config.file} are not understood and were passed over`);
  const asked = scopeOf(input, sites);
  const repositories = [...new Set(sites.map(({ repository }) => repository))];
  const tags = (await pMap(repositories, (one) => tagsOf(registry, one, signal), { concurrency: READS })).flat();
  const relations = await relationsOf(systems.git, sha, [
    ...tags.flatMap(({ commit }) => commit ?? []),
    ...[...ledgers.values()].map(({ commit }) => commit),
  ]);
  const usedBy = (found: FoundTag) => input.uses.map((uses) => userOf(uses, found)).find((who) => who !== null) ?? null;
  const now = clock.now();
  const items = planRetention({ sites, tags, ledgers, relations, usedBy, asked, keep, now });
  if (!input.dryRun) await releaseInLedgers(systems, input, ledgers, sites, items, now);
  const removed = await removeTags(registry, items, input);
  const ended = ledgersThatEnd(input, ledgers, relations, items, asked);
  const last = await removeTags(registry, ended, input);
  const exits = [...removed, ...last].map(({ fault }): ExitCode => (fault ? fault.exit : 0));
  const record = ({ item, outcome, reason, fault }: (typeof removed)[number]): PrunedTag => {
    const { repository, tag, digest, environment, artifact, inUse } = item;
    const place = { repository, tag, digest, environment, artifact };
    return { ...place, outcome, reason, inUse, ...(fault ? { fault: faultRecord(fault) } : {}) };
  };
  return { tags: [...removed, ...last].map(record), exit: worstExit(exits) };
}

async function ledgersOf(registry: Registry, input: PruneInput): Promise<ReadonlyMap<string, Ledger>> {
  const ledgers = new Map<string, Ledger>();
  for (const environment of await registry.tags(input.ledgerRepository, input.signal)) {
    const { ledger, state } = await readLedger(registry, input.ledgerRepository, environment, input.signal);
    if (ledger) ledgers.set(environment, ledger);
    else if (state === 'damaged') input.notice(`the ledger of ${environment} is damaged: the next publish rebuilds it`);
  }
  return ledgers;
}

/** Former texts of sluice.yaml, as far as the clone holds them. */
async function formerTexts(git: GitRepository, input: PruneInput): Promise<readonly string[]> {
  const { config, sha, signal } = input;
  const lacking = (why: string) =>
    input.notice(`${why}: apps and environments deleted before are known from the ledgers alone (GIT_DEPTH: 0 helps)`);
  if (await git.isShallow()) lacking('the clone is shallow');
  const texts: string[] = [];
  try {
    const oids = await git.versions(config.file, sha, MOST_VERSIONS);
    for await (const { content } of git.blobs(oids, signal)) texts.push(Buffer.from(content).toString());
  } catch (error) {
    // A shallow clone that was deepened has commits without their trees.
    if (!(error instanceof Fault) || error.code !== 'commit_missing') throw error;
    lacking(`the clone does not hold the history of ${config.file}`);
  }
  return texts;
}

function scopeOf(input: PruneInput, sites: readonly Site[]) {
  const check = (code: 'unknown_environment' | 'unknown_app', names: readonly string[], known: ReadonlySet<string>) => {
    const stranger = names.find((name) => !known.has(name));
    if (stranger === undefined) return;
    throw new Fault(code, `neither ${input.config.file}, its history nor a ledger knows ${stranger}`);
  };
  check('unknown_environment', input.environments, new Set(sites.map(({ environment }) => environment)));
  check('unknown_app', input.apps, new Set(sites.map(({ app }) => app)));
  const artifacts = new Set(sites.filter(({ app }) => input.apps.includes(app)).map(({ artifact }) => artifact));
  return (environment: string | null, artifact: string | null) =>
    (input.environments.length === 0 || (environment !== null && input.environments.includes(environment))) &&
    (input.apps.length === 0 || (artifact !== null && artifacts.has(artifact)));
}

async function tagsOf(
  registry: Registry,
  repository: string,
  signal: AbortSignal | undefined,
): Promise<readonly FoundTag[]> {
  const names = await registry.tags(repository, signal);
  const found = await pMap(
    names,
    async (tag) => {
      const standing = await readStanding(registry, repository, tag, signal);
      if (!standing) return [];
      const { digest, contentDigest, title, commit, createdAt } = standing;
      return [{ repository, tag, digest, contentDigest, title, commit, createdAt }];
    },
    { concurrency: READS },
  );
  return found.flat();
}

async function relationsOf(
  git: GitRepository,
  sha: string,
  commits: readonly string[],
): Promise<ReadonlyMap<string, Relation>> {
  const ancestry = ancestryOf(git, sha);
  const ancestors = await ancestry.ancestors();
  const relations = new Map<string, Relation>();
  for (const commit of new Set(commits)) {
    const known = commit === sha ? 'same' : ancestors.has(commit.slice(0, 12)) ? 'ahead' : null;
    relations.set(commit, known ?? (await ancestry.relation(commit)));
  }
  return relations;
}

/** Ledgers forget content that goes, so that an app which comes back is pushed anew; entries with nothing left go too. */
async function releaseInLedgers(
  systems: PruneSystems,
  input: PruneInput,
  ledgers: ReadonlyMap<string, Ledger>,
  sites: readonly Site[],
  items: readonly RetentionItem[],
  now: number,
): Promise<void> {
  const { registry, git } = systems;
  const isLive = (environment: string) => input.config.environments.some(({ name }) => name === environment);
  for (const [environment] of [...ledgers].filter(([name]) => isLive(name))) {
    const { ledger } = await readLedger(registry, input.ledgerRepository, environment, input.signal);
    if (!ledger) continue;
    const artifacts = ledger.artifacts.flatMap((entry) => {
      const own = sites.filter((site) => site.environment === environment && site.artifact === entry.name);
      if (own.length === 0 || own.some((site) => site.live && site.app === entry.app)) return [entry];
      const of = items.filter((item) => item.environment === environment && item.artifact === entry.name);
      if (of.length === 0) return entry.digest === null ? [] : [entry];
      const goes = of.some(({ act, digest }) => act === 'remove' && digest === entry.digest);
      return [goes ? { ...entry, digest: null, contentDigest: null } : entry];
    });
    if (JSON.stringify(artifacts) === JSON.stringify(ledger.artifacts)) continue;
    const { committedAt } = await git.commit(input.sha);
    const about = {
      revision: formatRevision(input.branch, ledger.commit),
      source: input.source,
      createdAt: committedAt,
    };
    await writeLedger(systems, input.ledgerRepository, { ...ledger, artifacts }, about, now, input.signal);
  }
}

/** The ledgers of environments that are gone with all their artifacts. */
function ledgersThatEnd(
  input: PruneInput,
  ledgers: ReadonlyMap<string, Ledger>,
  relations: ReadonlyMap<string, Relation>,
  items: readonly RetentionItem[],
  asked: (environment: string | null, artifact: string | null) => boolean,
): readonly RetentionItem[] {
  return [...ledgers].flatMap(([environment, ledger]) => {
    const live = input.config.environments.some(({ name }) => name === environment);
    const holds = items.some((item) => item.environment === environment && item.act === 'keep');
    const ours = ['same', 'ahead'].includes(relations.get(ledger.commit) ?? '');
    if (live || holds || !ours || input.apps.length > 0 || !asked(environment, null)) return [];
    const reason = `sluice.yaml has no environment ${environment} any more`;
    const place = { repository: input.ledgerRepository, tag: environment, digest: '', createdAt: '' };
    return [{ ...place, environment, artifact: null, act: 'remove', reason, inUse: false }];
  });
}
