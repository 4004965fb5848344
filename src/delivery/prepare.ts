import type { ImageChange } from '../app/change.ts';
import { formatImage } from '../app/image.ts';
import type { Config, Pair } from '../config/config.ts';
import { appOf, environmentOf, pairOf } from '../config/pair.ts';
import { Fault } from '../fault.ts';
import type { Delivery, DeliveryOutcome, CommitClaim, SkippedPair } from './commit.ts';
import { judgeStanding } from './history.ts';
import { formatMessage, parseClaim } from './message.ts';
import type { Order } from './order.ts';
import type { Pace } from './pace.ts';
import { isOrdered, type Past } from './past.ts';
import { type EditPlan, type PairChange, planEdits } from './plan-edits.ts';
import { foldersOf, readScopes } from './scope.ts';
import type { Tip } from './tip.ts';

/** What an order comes to on one tip. */
export interface Prepared {
  /** Pairs that take part; empty: all are superseded. */
  readonly pairs: readonly Pair[];
  readonly skipped: readonly SkippedPair[];
  readonly plan: EditPlan;
  readonly message: string;
  readonly notes: readonly string[];
}

const NOTHING: EditPlan = { manifest: { files: [], targets: [], notTaken: [] }, files: new Map(), diff: '' };

/**
 * Computes an order on a tip: holds, history, scopes, edits, message. Faults: `held` (all pairs on hold), `older_run`
 * (a re-run of an old job), `unknown_app`, `unknown_environment`, `config_missing`, `config_invalid`, and those of
 * `readScopes` and `planEdits`.
 */
export async function prepare(tip: Tip, past: Past, order: Order, pace: Pace): Promise<Prepared> {
  const fetching = await past.begin([order]);
  // Most apps live at their default path: so configuration and manifests mostly come in one batch.
  const usual = order.changes.map((change) => [`apps/${change.app}`]);
  await tip.prefetch(usual, ['sluice.yaml']);
  const config = await order.config(tip);
  const asked = pairsOf(config, order);
  const held = asked.filter((pair) => pair.hold !== null);
  if (held.length === asked.length) {
    const reasons = held.map((pair) => `${pair.app.name} in ${pair.environment.name}: ${pair.hold}`);
    throw new Fault('held', `on hold: ${reasons.join('; ')}`);
  }
  const free = asked.filter((pair) => pair.hold === null);
  // While the history is fetched, all are planned as if none were superseded; a fault counts only where that holds.
  const early = fetching ? planPairs(tip, config, free, order, pace) : null;
  early?.catch(() => {});
  const claims = isOrdered(order) ? await past.claims(order.pipelineCreatedAt) : [];
  const superseded = findSuperseded(free, claims, order);
  const pairs = free.filter((pair) => !superseded.has(pair));
  const skipped: SkippedPair[] = [
    ...held.map((pair) => skip(pair, 'held', pair.hold ?? '')),
    ...[...superseded].map(([pair, message]) => skip(pair, 'superseded', message)),
  ];
  if (pairs.length === 0) return { pairs, skipped, plan: NOTHING, message: '', notes: [] };
  const planned = await (superseded.size === 0 && early !== null ? early : planPairs(tip, config, pairs, order, pace));
  if (order.once === true && planned.plan.files.size > 0) refuseAgain(planned.message, claims, order);
  return { pairs, skipped, ...planned };
}

/** Plans the change of some pairs. Faults of `readScopes` and `planEdits`. */
async function planPairs(
  tip: Tip,
  config: Config,
  pairs: readonly Pair[],
  order: Order,
  pace: Pace,
): Promise<Pick<Prepared, 'plan' | 'message' | 'notes'>> {
  const { changes, notes } = await pairChanges(tip, config, pairs, order);
  const plan = await pace(planEdits(changes));
  return { plan, message: messageOf(changes, plan, order), notes };
}

function pairsOf(config: Config, order: Order): readonly Pair[] {
  for (const change of order.changes) appOf(config, change.app);
  for (const environment of order.environments) environmentOf(config, environment);
  return order.changes.flatMap((change) =>
    order.environments.map((environment) => {
      const pair = pairOf(config, change.app, environment);
      return order.pin === null ? pair : { ...pair, pin: order.pin };
    }),
  );
}

function findSuperseded(
  pairs: readonly Pair[],
  claims: readonly CommitClaim[],
  order: Order,
): ReadonlyMap<Pair, string> {
  const found = new Map<Pair, string>();
  for (const pair of pairs) {
    const [app, environment] = [pair.app.name, pair.environment.name];
    const judged = judgeStanding(claims, app, environment, order.origin);
    if (judged.standing === 'current') continue;
    const own = order.origin?.pipeline;
    const message = `pipeline ${judged.by.origin?.pipeline} is newer than ${own} (commit ${judged.by.commit.slice(0, 12)})`;
    if (judged.rerun) {
      throw new Fault(
        'older_run',
        `${app} in ${environment}: ${message}, and pipeline ${own} was delivered before it`,
        {
          hint: `A rollback is a new delivery commit: \`git revert ${judged.by.commit.slice(0, 12)}\` in the delivery repository; --allow-older permits this once.`,
        },
      );
    }
    found.set(pair, message);
  }
  return found;
}

/** Has this very pipeline brought these images to all its pairs before, and have they been taken back since? */
function refuseAgain(message: string, claims: readonly CommitClaim[], { origin }: Order): void {
  const own = parseClaim({ sha: '', message });
  if (own === null || own.images.length === 0 || origin?.pipeline == null) return;
  const includes = (all: readonly string[], some: readonly string[]) => some.every((each) => all.includes(each));
  const former = claims.find(
    (claim) =>
      claim.origin?.project === origin.project &&
      claim.origin.pipeline === origin.pipeline &&
      includes(claim.apps, own.apps) &&
      includes(claim.environments, own.environments) &&
      includes(claim.images, own.images),
  );
  if (former === undefined) return;
  throw new Fault(
    'older_run',
    `pipeline ${origin.pipeline} brought ${own.images.join(', ')} already (commit ${former.commit.slice(0, 12)}), and it was taken back since`,
    { hint: 'Run a new pipeline of the application; --allow-older permits this once.' },
  );
}

async function pairChanges(
  tip: Tip,
  config: Config,
  pairs: readonly Pair[],
  order: Order,
): Promise<{ readonly changes: readonly PairChange[]; readonly notes: readonly string[] }> {
  const changes: PairChange[] = [];
  const notes: string[] = [];
  const apps = new Map(pairs.map(({ app }) => [app.name, app]));
  await tip.prefetch([...apps.values()].map((app) => foldersOf(config, app)));
  for (const change of order.changes) {
    const own = pairs.filter((pair) => pair.app.name === change.app);
    if (own.length === 0) continue;
    const environments = own.map((pair) => pair.environment.name);
    const scopes = await readScopes(tip, config, own[0]!.app, environments, change);
    for (const pair of own) {
      const scope = scopes.get(pair.environment.name)!;
      changes.push({ pair, scope, images: await order.pinned(change.images, pair.pin) });
      notes.push(...scope.unclear.map((note) => `${note.file}: ${note.message}`));
    }
  }
  return { changes, notes: [...new Set(notes)] };
}

function messageOf(changes: readonly PairChange[], plan: EditPlan, order: Order): string {
  const names = <T>(list: readonly T[], name: (item: T) => string) => [...new Set(list.map(name))];
  const images = new Map<string, ImageChange>();
  for (const change of changes) for (const image of change.images) images.set(JSON.stringify(image), image);
  return formatMessage({
    environments: names(changes, (change) => change.pair.environment.name),
    apps: names(changes, (change) => change.pair.app.name).map((name) => ({
      name,
      version: versionOf(changes.find((change) => change.pair.app.name === name)?.images ?? []),
    })),
    images: [...images.values()].map((image) => ({
      name: image.newName ?? image.name,
      tag: image.tag ?? null,
      digest: image.digest ?? null,
    })),
    targets: plan.manifest.targets,
    origin: order.origin,
  });
}

/** What a subject calls the version: the tags, else the first digits of the digest. */
export function versionOf(images: readonly ImageChange[]): string {
  const versions = images.map((image) => image.tag ?? image.digest?.slice('sha256:'.length, 19) ?? image.newName ?? '');
  return [...new Set(versions.filter((version) => version !== ''))].join(' + ');
}

/** `name[:tag][@digest]` of an image change, with its new name where it gets one. */
export function referenceOf(image: ImageChange): string {
  return formatImage({ name: image.newName ?? image.name, tag: image.tag ?? null, digest: image.digest ?? null });
}

function skip(pair: Pair, reason: SkippedPair['reason'], message: string): SkippedPair {
  return { app: pair.app.name, environment: pair.environment.name, reason, message };
}

/** The record of what became of it. */
export function deliveryOf(
  order: Order,
  { plan, skipped }: Prepared,
  outcome: DeliveryOutcome,
  commit: Delivery['commit'],
  attempts: number,
): Delivery {
  return {
    outcome,
    apps: order.changes.map((change) => change.app),
    environments: order.environments,
    commit,
    manifest: plan.manifest,
    diff: plan.diff,
    skipped,
    attempts,
  };
}
