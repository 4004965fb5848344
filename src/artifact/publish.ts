import pMap from 'p-map';
import type { Pair } from '../config/config.ts';
import type { CommitClaim } from '../delivery/commit.ts';
import { Fault, worstExit, type ExitCode } from '../fault.ts';
import { formatRevision } from '../revision.ts';
import type { Clock } from '../systems/clock.ts';
import type { Files } from '../systems/files.ts';
import type { GitRepository } from '../systems/git.ts';
import type { Kustomize } from '../systems/kustomize.ts';
import type { Registry } from '../systems/registry.ts';
import type { Signer } from '../systems/signer.ts';
import { ancestryOf } from './ancestry.ts';
import { evaluate, type Evaluated, type Item, type Limits } from './evaluate.ts';
import { closedGate } from './gates.ts';
import { encodeLedger, entryOf, type Ledger } from './ledger.ts';
import { readLedger, writeLedger } from './ledger-store.ts';
import { originsOf } from './origins.ts';
import { exitOf, faultOutcome, isDecided, nextLedger, publishedArtifact, type Outcome } from './outcome.ts';
import { materialize, type BuildFolder } from './prove.ts';
import type { Publication, PublishedArtifact, PublishedRange } from './published.ts';
import { publishItem, type Run } from './publish-item.ts';
import { rangesOf } from './range.ts';
import { checkoutOf, openSnapshot } from './snapshot.ts';
import { readStandings } from './standing.ts';
import { checkTags } from './tags.ts';

/** What `publish` works with. */
export interface PublishSystems {
  readonly git: GitRepository;
  /** null: offline. */
  readonly registry: Registry | null;
  /** Signs what is pushed; left out: nothing is signed. */
  readonly signer?: Signer | null;
  readonly kustomize: Kustomize;
  readonly files: Files;
  readonly clock: Clock;
}

/** What is to be published. */
export interface PublishInput {
  /** Environments are taken in the order in which they occur first. */
  readonly items: readonly Item[];
  /** All of sluice.yaml, whose tags nobody else may take; left out: the items' own. */
  readonly pairs?: readonly Pair[];
  /** Path of the delivery project; '' where unknown. */
  readonly project: string;
  readonly branch: string;
  /** 40 hex digits. */
  readonly sha: string;
  /** Address of the delivery repository, for annotations. */
  readonly source: string;
  /** `host/path` of the ledgers; null: none is kept. */
  readonly ledgerRepository: string | null;
  readonly dryRun: boolean;
  readonly layoutFolder: string | null;
  /** Folder of layouts that `layoutFolder` wrote, to be pushed; left out: new ones are written. */
  readonly fromLayout?: string | null;
  /** Why gates and the guard against dropped roots do not count. */
  readonly override: string | null;
  readonly deployFreeze: boolean;
  readonly limits: Limits;
  /** Templates of further tags, e.g. `{environment}-latest`. */
  readonly tags?: readonly string[];
  /** Pushes at a time. */
  readonly parallel: number;
  readonly mergeRequest?: (sha: string) => Promise<readonly CommitClaim[]>;
  readonly notice: (text: string) => void;
  /** Ends the run. */
  readonly signal?: AbortSignal | undefined;
  /** Ends what is under way, with a `Fault` as its reason: the items that are not done have failed. */
  readonly deadline?: AbortSignal | undefined;
}

/** What came of it. */
export interface Published {
  readonly publication: Publication;
  readonly exit: ExitCode;
}

/**
 * Publishes the artifacts of a delivery commit: ledger, selection, plan, push, ledger again. Items that fail do not stop
 * the others: each has its outcome and fault in the record. Rejects with a `Fault` only where nothing can be said about
 * any item (no such commit; `usage`, `config_invalid`: tags that two would write), and with the signal's reason.
 */
export async function publish(systems: PublishSystems, input: PublishInput): Promise<Published> {
  const { git, registry, kustomize, files, clock } = systems;
  const { sha } = input;
  const signals = [input.signal, input.deadline].filter((one) => one !== undefined);
  const signal = signals.length === 0 ? undefined : AbortSignal.any(signals);
  checkTags({
    ...input,
    pairs: input.pairs ?? input.items.map(({ pair }) => pair),
    templates: input.tags ?? [],
    place: input,
  });
  const snapshot = await openSnapshot(git, sha);
  const ancestry = ancestryOf(git, sha);
  const ranges = rangesOf(git, snapshot.commit, input.mergeRequest);
  await using disposals = new AsyncDisposableStack();
  let full: Promise<BuildFolder> | undefined;
  const now = clock.now();
  const gates = new Map(input.items.map(({ pair }) => [pair.environment.name, pair.environment]));
  const told = new Set<string>();
  const notice = (text: string) => {
    if (!told.has(text)) input.notice(text);
    told.add(text);
  };
  const run: Run = {
    snapshot,
    ancestry,
    registry,
    files,
    kustomize,
    signal,
    canceled: input.signal,
    project: input.project,
    branch: input.branch,
    source: input.source,
    limits: input.limits,
    tags: input.tags ?? [],
    signer: systems.signer ?? null,
    now,
    dryRun: input.dryRun,
    layoutFolder: input.layoutFolder,
    fromLayout: input.fromLayout ?? null,
    override: input.override,
    notice,
    open: (commit, options) => openSnapshot(git, commit, options),
    full() {
      full ??= materialize({ files, kustomize, ...checkoutOf(snapshot, signal), signal }).then((folder) => {
        return disposals.use(folder);
      });
      return full;
    },
    closedGate(name) {
      const environment = gates.get(name);
      if (!environment || input.override !== null) return null;
      return closedGate(environment, now, input.deployFreeze);
    },
  };
  const artifacts: PublishedArtifact[] = [];
  const environmentRanges: PublishedRange[] = [];
  const exits: ExitCode[] = [];
  for (const environment of gates.keys()) {
    const items = input.items.filter(({ pair }) => pair.environment.name === environment);
    const result = await publishEnvironment(git, run, environment, items, input);
    environmentRanges.push({ environment, since: result.since, until: sha });
    exits.push(result.exit);
    for (const { item, outcome, since } of result.outcomes) {
      const claims = await ranges.claims(since);
      const { origins, notes } = originsOf(claims, item.pair.app, environment);
      for (const note of notes) notice(note);
      artifacts.push(publishedArtifact(item, outcome, input.branch, origins));
    }
  }
  if (artifacts.length === 0) throw new Fault('selection_empty', `commit ${sha.slice(0, 12)} holds none of these apps`);
  const publication = {
    project: input.project,
    branch: input.branch,
    commit: sha,
    ranges: environmentRanges,
    artifacts,
  };
  return { publication, exit: worstExit([exitOf(artifacts), ...exits]) };
}

interface EnvironmentResult {
  readonly outcomes: readonly { readonly item: Item; readonly outcome: Outcome; readonly since: string | null }[];
  /** The ledger's commit before. */
  readonly since: string | null;
  readonly exit: ExitCode;
}

async function publishEnvironment(
  git: GitRepository,
  run: Run,
  environment: string,
  items: readonly Item[],
  input: PublishInput,
): Promise<EnvironmentResult> {
  const { sha } = run.snapshot.commit;
  const { registry, signal } = run;
  const repository = registry && input.ledgerRepository;
  let ledger: Ledger | null = null;
  if (registry && repository !== null) {
    try {
      const reading = await readLedger(registry, repository, environment, signal);
      ledger = reading.ledger;
      if (reading.state === 'damaged')
        run.notice(`the ledger of ${environment} is damaged: it is rebuilt from the tags`);
    } catch (error) {
      input.signal?.throwIfAborted();
      if (!(error instanceof Fault)) throw error;
      const outcome = (item: Item) => faultOutcome(error, sha, [item.pair.tag], undefined);
      const outcomes = items.map((item) => ({ item, outcome: outcome(item), since: null }));
      return { outcomes, since: null, exit: error.exit };
    }
  }
  if (!registry && items.some(({ pair }) => pair.source === 'git')) {
    ledger = await ledgerOfParent(git, run, environment, items);
  }
  const entry = ({ pair, artifact }: Item) => entryOf(ledger, pair.app.name, artifact.name);
  const sinceOf = (item: Item) => entry(item)?.evaluated ?? ledger?.commit ?? null;
  const evaluated = await evaluate(run.snapshot, items, { project: input.project, limits: input.limits, signal });
  const present = evaluated.filter((item) => {
    const never = item.state === 'absent' && entry(item) === undefined;
    const folder = item.artifact.path === '.' ? '' : item.artifact.path;
    if (never && !run.snapshot.tree.isDirectory(folder)) {
      run.notice(`${item.pair.app.name}: ${folder} does not exist in commit ${sha.slice(0, 12)}`);
    }
    return !never;
  });
  const oci = present.filter(({ state, pair }) => state === 'ready' && pair.source === 'oci');
  const standings = ledger === null && registry ? await readStandings(registry, oci, signal) : null;
  const outcomes = await pMap(
    present,
    async (item: Evaluated) => {
      const since = sinceOf(item);
      const outcome = await publishItem(run, item, entry(item), since, standings?.get(item));
      return { item, since: since ?? outcome.before ?? null, outcome };
    },
    { concurrency: input.parallel, ...(input.signal ? { signal: input.signal } : {}) },
  );
  const exit =
    registry && repository !== null && !run.dryRun && outcomes.length > 0
      ? await recordLedger(run, repository, environment, ledger, outcomes)
      : 0;
  const known = outcomes.find(({ since }) => since !== null)?.since ?? null;
  return { outcomes, since: ledger?.commit ?? known, exit };
}

/** Without a registry no ledger is kept: the commit's first parent stands for what was before. */
async function ledgerOfParent(
  git: GitRepository,
  run: Run,
  environment: string,
  items: readonly Item[],
): Promise<Ledger | null> {
  const [commit] = run.snapshot.commit.parents;
  if (commit === undefined || (await git.resolve(commit)) === null) return null;
  const of = items.filter(({ pair }) => pair.source === 'git');
  const { project, limits, signal } = run;
  const evaluated = await evaluate(await openSnapshot(git, commit), of, { project, limits, signal });
  const artifacts = evaluated.flatMap((item) => {
    if (item.state !== 'ready') return [];
    const { contentDigest } = item;
    const { name, roots } = item.artifact;
    return { app: item.pair.app.name, name, contentDigest, digest: null, commit, evaluated: commit, roots: [...roots] };
  });
  return { version: 1, environment, commit, artifacts };
}

/** Writes the ledger, last; what a newer run wrote meanwhile stays. A failure does not undo what was pushed. */
async function recordLedger(
  run: Run,
  repository: string,
  environment: string,
  read: Ledger | null,
  outcomes: EnvironmentResult['outcomes'],
): Promise<ExitCode> {
  const { snapshot, registry, signal } = run;
  const { committedAt, parents } = snapshot.commit;
  const decided = outcomes.some(({ outcome }) => isDecided(outcome));
  // Where all are held or failed nothing has been evaluated; a first ledger still notes what is owed since the parent.
  const sha = decided ? snapshot.commit.sha : read === null ? parents[0] : undefined;
  if (!registry || sha === undefined) return 0;
  try {
    const next = nextLedger(read, environment, sha, outcomes);
    if (read && encodeLedger(read) === encodeLedger(next)) return 0;
    const reading = await readLedger(registry, repository, environment, signal);
    const stands = reading.ledger;
    if (stands && (await run.ancestry.relation(stands.commit)) === 'behind') return 0;
    const about = { revision: formatRevision(run.branch, sha), source: run.source, createdAt: committedAt };
    const merged = nextLedger(stands ?? read, environment, sha, outcomes);
    await writeLedger({ registry, files: run.files }, repository, merged, about, run.now, signal);
    return 0;
  } catch (error) {
    run.canceled?.throwIfAborted();
    if (!(error instanceof Fault)) throw error;
    run.notice(`the ledger of ${environment} was not written (${error.message}); the next run finds out from the tags`);
    return error.exit;
  }
}
