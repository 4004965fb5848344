import { sourceKindOf } from '../notify/source-address.ts';
import type { ObjectRef } from '../notify/request.ts';
import { describeKind, walkChain, type Asked, type Need } from './chain.ts';
import { consumersFor } from './consumers.ts';
import { findSourcesIn, judgeSources, shortTarget } from './fetching.ts';
import { formatObject, keyOf } from './kinds.ts';
import { continueMarks, type Marks, type Patience, type Progress, type Relation } from './patience.ts';
import { judged, type Judgement } from './readiness.ts';
import type { Followed, ObjectState, Observation, Verdict, VerdictName } from './verdict.ts';
import type { ClusterView } from './view.ts';

/** One look at the cluster. */
export interface SettleInput {
  readonly view: ClusterView;
  readonly followed: Followed;
  readonly progress: Progress;
  /** Known relations of other revisions (by commit where known, else by the whole revision). */
  readonly relations: ReadonlyMap<string, Relation>;
  readonly asked: ReadonlyMap<string, Asked>;
  /** Does our commit touch these paths (joined by line breaks)? */
  readonly touched: ReadonlyMap<string, boolean>;
  /** Milliseconds since the epoch, of this machine: the cluster's own times are never compared with it. */
  readonly now: number;
  readonly patience: Patience;
}

/** What came of it, and what is needed to go on. */
export interface Settled {
  readonly progress: Progress;
  readonly phase: Observation['phase'];
  readonly message: string;
  /** The word that decides now. */
  readonly reason: string;
  readonly judgements: readonly Judgement[];
  readonly verdict: Verdict | null;
  readonly needs: readonly Need[];
  /** Consumers to ask to take up changed inputs. */
  readonly asks: readonly ObjectRef[];
  /** Sources that do not show our revision yet. */
  readonly behind: readonly ObjectRef[];
  /** Revisions whose relation to ours must be found out. */
  readonly questions: readonly string[];
  /** Paths (joined by line breaks) of which must be found out whether our commit touches them. */
  readonly touches: readonly string[];
}

/** Decides how one Followed stands. Pure: the same input gives the same answer. */
export function settle(input: SettleInput): Settled {
  const { view, followed, patience } = input;
  const marks = continueMarks(input.progress, input.now);
  const open = openLook(input, marks);
  const { needs, seen, wait, end } = open;

  const kind = sourceKindOf(followed);
  const all = view.access(kind, null).state;
  const access = all === 'forbidden' ? view.access(kind, followed.namespace).state : all;
  if (access === 'pending') {
    needs.push({ kind, namespace: null, after: 0 });
    return wait('waiting', [], 'Reading', 'reading the cluster');
  }
  if (access === 'forbidden') {
    const message = `no right to list ${describeKind(kind)}, neither in all namespaces nor in ${followed.namespace}`;
    return end('unknown', 'Forbidden', message);
  }
  const { sources, message: nothing } = findSourcesIn(view, followed);
  if (sources.length === 0) {
    const lost = input.progress.seen.find((key) => key.startsWith(`${kind}/`));
    if (lost !== undefined) return open.lose(lost);
    const message =
      access === 'missing' ? `the cluster does not know ${describeKind(kind)}: Flux is not installed` : nothing;
    return marks.recent('no source', patience.unconsumed)
      ? wait('waiting', [], 'NoSource', message)
      : end('unconsumed', 'NoSource', message);
  }

  const fetching = judgeSources(followed, sources, input.relations, (key) => seen.has(`shown ${key}`));
  for (const source of sources) seen.add(source.key);
  for (const key of fetching.reached) seen.add(`shown ${key}`);
  open.behind.push(...fetching.behind);
  open.questions.push(...fetching.questions);
  const fetched = fetching.superseded === undefined && fetching.judgements.every((one) => one.state === 'ready');

  const consumers = consumersFor(view, followed, sources);
  for (const unread of consumers.unread) needs.push({ kind: unread, namespace: null, after: 0 });
  for (const root of consumers.roots) seen.add(root.key);
  const judgements: Judgement[] = [...fetching.judgements];
  if (consumers.roots.length > 0) {
    const chain = walkChain({
      view,
      sources,
      roots: consumers.roots,
      wanted: fetching.wanted,
      health: followed.health,
      asked: input.asked,
      ours: followed.wanted,
      touched: input.touched,
      since: marks.since,
      seen,
      stoodFor: (what, ms) => !marks.recent(what, ms),
    });
    // Before the source shows our revision nothing below it speaks of it, but a suspension or deletion does.
    judgements.push(
      ...chain.judgements.filter((one) => fetched || one.state === 'suspended' || one.reason === 'Deleting'),
    );
    if (fetched) {
      needs.push(...chain.needs);
      open.asks.push(...chain.asks);
      open.touches.push(...chain.touches);
    }
  }
  for (const one of consumers.forbidden) {
    const blind = { kind: one, namespace: '', name: '' };
    judgements.push(judged(blind, 'unknown', 'Forbidden', `no right to list ${describeKind(one)}`, { applied: true }));
  }

  const final = judgements.map((one) => outlast(one, marks, patience, fetched));
  const first = (state: Judgement['state']) => final.find((one) => one.state === state);
  const rooted = consumers.roots.length > 0;
  const phase = !fetched ? 'waiting' : rooted && final.every((one) => one.applied) ? 'applied' : 'fetched';
  const say = (one: Judgement, verdict: VerdictName) => end(verdict, one.reason, sentence(one), phase, final);
  const failed = first('failed');
  if (failed) return say(failed, 'failed');
  const suspended = first('suspended');
  if (suspended) return say(suspended, 'suspended');
  if (fetching.superseded !== undefined) return end('superseded', 'Superseded', fetching.superseded, phase, final);
  if (consumers.unread.length > 0) return wait(phase, final, 'Reading', 'reading the cluster');
  if (!rooted) {
    const lost = input.progress.seen.find((key) => /^(Kustomization|HelmRelease)\//.test(key));
    if (lost !== undefined) return open.lose(lost);
  }
  if (!rooted || consumers.absent !== undefined) {
    const message = consumers.absent ?? consumers.message;
    if (marks.recent('no consumer', patience.unconsumed)) return wait(phase, final, 'NoConsumer', message);
    const unknown = first('unknown');
    return unknown
      ? end('unknown', unknown.reason, `${message}; ${unknown.message}`, phase, final)
      : end('unconsumed', 'NoConsumer', message, phase, final);
  }
  const waiting = first('progressing');
  if (waiting) return wait(phase, final, waiting.reason, sentence(waiting));
  const unknown = first('unknown');
  if (unknown) return say(unknown, 'unknown');
  const names = consumers.roots.map((root) => formatObject(root.ref)).join(', ');
  const state = followed.health === 'applied' ? 'applied' : 'applied and healthy';
  return end('synced', 'Synced', `${shortTarget(followed.wanted)} is ${state}: ${names}`, 'healthy', final);
}

/** The verdict when the time is up: never green, with the last known reason. */
export function timedOut(settled: Pick<Settled, 'judgements' | 'message' | 'reason'>): Verdict {
  return {
    verdict: 'timed-out',
    reason: settled.reason || 'TimedOut',
    message: settled.message || 'nothing was seen of it',
    objects: objectsOf(settled.judgements),
  };
}

/** What one look collects, and its two ways to end. */
function openLook(input: SettleInput, marks: Marks) {
  const needs: Need[] = [];
  const asks: ObjectRef[] = [];
  const behind: ObjectRef[] = [];
  const questions: string[] = [];
  const touches: string[] = [];
  const seen = new Set(input.progress.seen);
  const close = (
    phase: Settled['phase'],
    judgements: readonly Judgement[],
    reason: string,
    message: string,
    verdict: Verdict | null,
  ): Settled => ({
    progress: { marks: marks.all, seen: [...seen] },
    phase,
    judgements,
    reason,
    message,
    verdict,
    needs,
    asks,
    behind,
    questions,
    touches,
  });
  const wait = (phase: Settled['phase'], judgements: readonly Judgement[], reason: string, message: string) =>
    close(phase, judgements, reason, message, null);
  const end = (
    verdict: VerdictName,
    reason: string,
    message: string,
    phase: Settled['phase'] = 'waiting',
    judgements: readonly Judgement[] = [],
  ) => close(phase, judgements, reason, message, { verdict, reason, message, objects: objectsOf(judgements) });
  /** An object that was there is gone: it may be on its way back (renamed, applied anew). */
  const lose = (key: string): Settled => {
    const [kind = '', namespace = '', name = ''] = key.split('/');
    const ref = { kind, namespace, name };
    const message = `${formatObject(ref)} was deleted while waiting for it`;
    if (marks.recent(`gone ${key}`, input.patience.gone)) return wait('waiting', [], 'Deleted', message);
    return end('failed', 'Deleted', message, 'waiting', [judged(ref, 'failed', 'Deleted', message)]);
  };
  return { needs, asks, behind, questions, touches, seen, wait, end, lose };
}

/** A judgement with grace becomes a failure when it has outlasted its patience. */
function outlast(one: Judgement, marks: Marks, patience: Patience, fetched: boolean): Judgement {
  if (one.state !== 'progressing') return one;
  const what = (grace: string) => `${grace} ${keyOf(one.ref)} ${fetched}`;
  if (one.grace === undefined) {
    // Ready is Unknown during each retry: such a moment neither proves nor refutes the failure before it.
    if (one.trying) marks.carry(what('artifact'));
    return one;
  }
  return marks.recent(what(one.grace), patience[one.grace]) ? one : { ...one, state: one.becomes ?? 'failed' };
}

/** Judgements as they stand in verdicts. */
export function objectsOf(judgements: readonly Judgement[]): readonly ObjectState[] {
  return judgements.map(({ ref, state, reason, message }) => ({ ...ref, state, reason, message }));
}

/** Object, reason and message in one line. */
function sentence({ ref, reason, message }: Judgement): string {
  return [ref.name === '' ? '' : formatObject(ref), reason, message].filter((part) => part !== '').join(': ');
}
