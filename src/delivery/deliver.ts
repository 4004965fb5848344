import { Fault } from '../fault.ts';
import { backoff } from './backoff.ts';
import type { Delivery, DeliveryOutcome } from './commit.ts';
import { judgeStanding } from './history.ts';
import type { Order, Workplace } from './order.ts';
import { isOrdered, type Past, type Standing } from './past.ts';
import { paceWith } from './pace.ts';
import { deliveryOf, prepare, type Prepared } from './prepare.ts';
import { openTip } from './tip.ts';

/** Commits of others that one lost race counts at most. */
const MOST_CONTENDERS = 500;

/**
 * Delivers an order by one commit on the clone's branch. Where others push first, everything is computed again on the
 * new tree (holds, history, edits): nothing is rebased, nothing forced. Faults: `contention` at the deadline, those of
 * `prepare`, of `order.verified` and of the push.
 */
export async function deliverByPush(order: Order, work: Workplace): Promise<Delivery> {
  const { clone, cache, past, clock, deadline, signal } = work;
  const first = await clone.head();
  /** What was rejected, by commit: where an answer was lost on the way, it landed all the same. */
  const tried = new Map<string, Delivery>();
  let recent: number | null = null;
  let idle = 0;
  let started = clock.now();
  for (let attempts = 1; ; attempts += 1) {
    const head = await clone.head();
    const landed = attempts > 1 && (await clone.history()).commits.find((commit) => tried.has(commit.sha));
    if (landed) return tried.get(landed.sha)!;
    const prepared = await prepare(await openTip(clone, cache, signal), past, order, paceWith(work));
    if (attempts === 1) for (const note of prepared.notes) work.note(note);
    const result = (outcome: DeliveryOutcome, stands: Standing | null): Delivery => {
      const commit = stands && { project: order.project, branch: clone.branch, ...stands, mergeRequest: null };
      return deliveryOf(order, prepared, outcome, commit, attempts - 1);
    };
    if (prepared.pairs.length === 0) return result('superseded', await past.standing(askedPairs(order)));
    if (prepared.plan.files.size === 0) return result('unchanged', await past.standing(namesOf(prepared)));
    await order.verified();
    if (order.dryRun) return result('planned', null);
    const sha = await clone.commit(head, prepared.plan.files, prepared.message);
    const pushed = { ...result('pushed', { sha, origins: order.origin ? [order.origin] : [] }), attempts };
    if ((await clone.push(sha, clone.branch, { signal })) === 'pushed') return pushed;
    tried.set(sha, pushed);
    const attemptMs = clock.now() - started;
    // A newer pipeline has mostly landed by the first loss. Else the wait is before the look: one fetch for each attempt.
    const looks = attempts === 1 && isOrdered(order);
    if (looks) {
      recent = await landedSince(work, head);
      if (await isOutrun(past, order)) continue;
    }
    if (clock.now() >= deadline) {
      const others = await landedSince(work, first);
      const why = others === 0 ? 'were rejected, and nobody else landed' : `lost against others (${others} commits)`;
      throw new Fault('contention', `${attempts} pushes to ${clone.branch} ${why}`);
    }
    idle = recent === 0 ? idle + 1 : 0;
    const wait = Math.min(
      backoff({ attempts, landed: attempts === 1 ? null : recent, idle, attemptMs }, clock.random()),
      Math.max(0, deadline - clock.now() - 2 * attemptMs),
    );
    work.note(`somebody pushed to ${clone.branch} first (attempt ${attempts}); trying again in ${Math.ceil(wait)} ms`);
    await clock.sleep(wait, signal);
    started = clock.now();
    if (!looks || wait > attemptMs) recent = await landedSince(work, head);
  }
}

/** Fetches the branch again; answers how many commits came after `former` (at most MOST_CONTENDERS). */
async function landedSince({ clone, signal }: Workplace, former: string): Promise<number> {
  await clone.refresh(signal);
  const commits = (await clone.history()).commits.slice(0, MOST_CONTENDERS);
  const known = commits.findIndex((commit) => commit.sha === former);
  return known < 0 ? commits.length : known;
}

/** Do newer pipelines' values stand for all pairs of an ordered change by now? Then there is nothing to wait for. */
async function isOutrun(past: Past, order: Order): Promise<boolean> {
  const claims = await past.claims(order.pipelineCreatedAt);
  return askedPairs(order).every(
    ({ app, environment }) => judgeStanding(claims, app, environment, order.origin).standing === 'superseded',
  );
}

function askedPairs(order: Order): readonly { readonly app: string; readonly environment: string }[] {
  return order.changes.flatMap(({ app }) => order.environments.map((environment) => ({ app, environment })));
}

function namesOf(prepared: Prepared): readonly { readonly app: string; readonly environment: string }[] {
  return prepared.pairs.map((pair) => ({ app: pair.app.name, environment: pair.environment.name }));
}
