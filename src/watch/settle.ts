import { chooseSources, normalizeUrl, sourceKindOf } from '../notify/source-address.ts';
import type { ObjectRef } from '../notify/request.ts';
import { describeKind, walkChain, type Asked, type Need } from './chain.ts';
import { consumersFor } from './consumers.ts';
import { formatObject, keyOf } from './kinds.ts';
import { judged, judgeStanding, type Grace, type Judgement } from './readiness.ts';
import { judgeFetching, nearMiss, type SourceObject } from './source.ts';
import type { Followed, Observation, Verdict, VerdictName } from './verdict.ts';
import type { ClusterView } from './view.ts';

/** How long (milliseconds) something must stay as it is before it counts. */
export interface Patience extends Readonly<Record<Grace, number>> {
  /** Nothing uses the artifact. */
  readonly unconsumed: number;
}

/**
 * fetch: the source cannot get its artifact · artifact: it is unusable, or a Kustomization cannot get it (the first
 * look of a new Kustomization fails and is repeated after 30 s) · apply: the cluster refused an object · release: a
 * HelmRelease failed and nobody works on it · gone: an object that was applied is not there.
 */
export const defaultPatience: Patience = {
  unconsumed: 15_000,
  fetch: 90_000,
  artifact: 65_000,
  apply: 5_000,
  release: 60_000,
  gone: 30_000,
};

/** What another revision is to ours: `follow` it contains ours and still holds our values · `gone` it contains ours, our values are gone · `other` anything else. */
export type Relation = 'follow' | 'gone' | 'other';

/** What is remembered of one Followed between two looks. JSON-safe. */
export interface Progress {
  /** When a condition was first seen without a break since. */
  readonly marks: Readonly<Record<string, number>>;
  /** Sources that have shown our revision, consumers that were there. */
  readonly seen: readonly string[];
}

/** Nothing seen yet. */
export const noProgress: Progress = { marks: {}, seen: [] };

/** One look at the cluster. */
export interface SettleInput {
  readonly view: ClusterView;
  readonly followed: Followed;
  readonly progress: Progress;
  /** Known relations of other revisions (commit where known, else the whole revision). */
  readonly relations: ReadonlyMap<string, Relation>;
  readonly asked: ReadonlyMap<string, Asked>;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly patience: Patience;
}

/** What came of it, and what is needed to go on. */
export interface Settled {
  readonly progress: Progress;
  readonly phase: Observation['phase'];
  readonly message: string;
  /** The word that decides now, for the last known reason at the deadline. */
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
}

/** Decides how one Followed stands. Pure: the same input gives the same answer. */
export function settle(input: SettleInput): Settled {
  const { view, followed, now, patience } = input;
  const marks: Record<string, number> = {};
  const mark = (what: string) => (marks[what] ??= input.progress.marks[what] ?? now);
  const seen = new Set(input.progress.seen);
  const needs: Need[] = [];
  const questions: string[] = [];
  const behind: ObjectRef[] = [];

  const end = (
    phase: Observation['phase'],
    judgements: readonly Judgement[],
    verdict: Verdict | null,
    more: { message?: string; reason?: string; asks?: readonly ObjectRef[] } = {},
  ): Settled => {
    const open = judgements.find((one) => one.state !== 'ready');
    return {
      progress: { marks, seen: [...seen] },
      phase,
      message: verdict?.message ?? more.message ?? (open ? sentence(open) : ''),
      reason: verdict?.reason ?? more.reason ?? open?.reason ?? '',
      judgements,
      verdict,
      needs,
      asks: more.asks ?? [],
      behind,
      questions,
    };
  };
  const say = (
    verdict: VerdictName,
    reason: string,
    message: string,
    judgements: readonly Judgement[] = [],
  ): Verdict => ({
    verdict,
    reason,
    message,
    objects: judgements.map(({ ref, state, reason: why, message: text }) => ({
      ...ref,
      state,
      reason: why,
      message: text,
    })),
  });
  const patient = (what: string, ms: number) => now - mark(what) < ms;

  // 1. The sources.
  const kind = sourceKindOf(followed);
  const sourceAccess = readable(view, kind, followed.namespace);
  if (sourceAccess === 'pending') {
    needs.push({ kind, namespace: null, after: 0 });
    return end('waiting', [], null, { message: 'reading the cluster', reason: 'Reading' });
  }
  if (sourceAccess === 'forbidden')
    return end(
      'waiting',
      [],
      say(
        'unknown',
        'Forbidden',
        `no right to list ${describeKind(kind)}, neither in all namespaces nor in ${followed.namespace}`,
      ),
    );
  const urls = followed.urls.map(normalizeUrl);
  const candidates = new Map<string, SourceObject>();
  for (const url of urls) for (const source of view.sourcesAt(url)) candidates.set(source.key, source);
  for (const name of followed.objects) {
    const source = view.source({ kind, namespace: followed.namespace, name });
    if (source) candidates.set(source.key, source);
  }
  const chosen = chooseSources(
    [...candidates.values()].map((one) => one.raw),
    followed,
  );
  const sources = [...candidates.values()].filter((one) => chosen.includes(one.raw));
  const address = `${followed.source === 'oci' ? 'oci://' : ''}${followed.urls[0] ?? ''} with ${followed.source === 'oci' ? 'tag' : 'branch'} ${followed.reference}`;
  if (sources.length === 0) {
    const before = input.progress.seen.find((key) => key.startsWith(`${kind}/`));
    if (before !== undefined) {
      const [, namespace = '', name = ''] = before.split('/');
      const lost = judged({ kind, namespace, name }, 'failed', 'Deleted', 'it was deleted while waiting for it');
      return patient('source deleted', patience.gone)
        ? end('waiting', [{ ...lost, state: 'progressing' }], null)
        : end('waiting', [lost], say('failed', lost.reason, sentence(lost), [lost]));
    }
    const near = [...candidates.values()].flatMap((one) => {
      const how = nearMiss(one, followed);
      return how === undefined ? [] : [`${formatObject(one.ref)} follows ${how}`];
    });
    const message =
      sourceAccess === 'missing'
        ? `the cluster does not know ${describeKind(kind)}: Flux’s source-controller is not installed`
        : `no ${kind} follows ${address}${near.length > 0 ? `; ${near.join(', ')}` : ''}`;
    return patient('no source', patience.unconsumed)
      ? end('waiting', [], null, { message, reason: 'NoSource' })
      : end('waiting', [], say('unconsumed', 'NoSource', message));
  }

  // 2. Which revision each source shows.
  const wanted = new Set([followed.wanted]);
  const judgements: Judgement[] = [];
  let superseded: string | undefined;
  for (const source of sources) {
    const standing = judgeStanding(source);
    const theirs =
      source.target === undefined || source.target === followed.wanted ? undefined : (source.commit ?? source.revision);
    const relation = theirs === undefined ? undefined : input.relations.get(theirs);
    const reached = source.target === followed.wanted || relation === 'follow';
    if (theirs !== undefined && relation === undefined) questions.push(theirs);
    if (reached) {
      seen.add(source.key);
      wanted.add(source.target as string);
    }
    if (standing) judgements.push(standing);
    else if (reached) judgements.push(judged(source.ref, 'ready', 'Fetched', source.revision ?? '', { applied: true }));
    else if (relation === 'gone' || (relation === 'other' && seen.has(source.key)))
      superseded ??= `${formatObject(source.ref)} has moved on to ${source.revision}`;
    else {
      behind.push(source.ref);
      judgements.push(
        judgeFetching(source, `${short(followed.wanted)}${source.revision ? `; it has ${source.revision}` : ''}`),
      );
    }
  }
  const fetched = behind.length === 0 && superseded === undefined && judgements.every((one) => one.state === 'ready');

  // 3. Who consumes them.
  const consumers = consumersFor(view, followed, sources);
  if (consumers.unread.length > 0)
    for (const one of consumers.unread) needs.push({ kind: one, namespace: null, after: 0 });
  const blind = consumers.forbidden.map((one) =>
    judged({ kind: one, namespace: '', name: '' }, 'unknown', 'Forbidden', `no right to list ${describeKind(one)}`),
  );
  for (const root of consumers.roots) seen.add(root.key);
  let asks: readonly ObjectRef[] = [];
  if (consumers.roots.length > 0) {
    const chain = walkChain({
      view,
      sources,
      roots: consumers.roots,
      wanted,
      health: followed.health,
      asked: input.asked,
      mark,
    });
    needs.push(...chain.needs);
    asks = fetched ? chain.asks : [];
    for (const one of chain.judgements) {
      // Before the source shows our revision nothing below it speaks of it, but a suspension does.
      if (fetched || one.state === 'suspended' || one.reason === 'Deleting') judgements.push(one);
    }
  }

  // 4. The sum.
  const all: Judgement[] = [...judgements, ...blind].map((one) => {
    if (one.state !== 'progressing' || one.grace === undefined) return one;
    return patient(`${one.grace} ${one.reason} ${keyOf(one.ref)} ${fetched}`, patience[one.grace])
      ? one
      : { ...one, state: 'failed' as const };
  });
  const applied = fetched && consumers.roots.length > 0 && all.every((one) => one.applied || one.ref.kind === '');
  const phase = !fetched ? 'waiting' : applied ? 'applied' : 'fetched';
  const first = (state: Judgement['state']) => all.find((one) => one.state === state);
  const failed = first('failed');
  if (failed) return end(phase, all, say('failed', failed.reason, sentence(failed), all));
  const suspended = first('suspended');
  if (suspended) return end(phase, all, say('suspended', suspended.reason, sentence(suspended), all));
  if (superseded !== undefined) return end(phase, all, say('superseded', 'Superseded', superseded, all));
  if (consumers.roots.length === 0 && consumers.unread.length === 0) {
    const lost = input.progress.seen.find((key) => /^(Kustomization|HelmRelease)\//.test(key));
    const message =
      lost !== undefined ? `${lost.replace('/', ' ')} was deleted while waiting for it` : consumers.message;
    const reason = lost !== undefined ? 'Deleted' : 'NoConsumer';
    if (patient(`no consumer ${lost ?? ''}`, lost === undefined ? patience.unconsumed : patience.gone))
      return end(phase, all, null, { message, reason });
    if (lost !== undefined) return end(phase, all, say('failed', reason, message, all));
    const blinded = blind[0];
    return end(
      phase,
      all,
      blinded
        ? say('unknown', blinded.reason, `${message}; ${blinded.message}`, all)
        : say('unconsumed', reason, message, all),
    );
  }
  const open = all.find((one) => one.state === 'progressing');
  if (open || !fetched || consumers.unread.length > 0)
    return end(phase, all, null, { asks, ...(open ? {} : { message: 'reading the cluster', reason: 'Reading' }) });
  const unknown = first('unknown');
  if (unknown) return end(phase, all, say('unknown', unknown.reason, sentence(unknown), all));
  const names = consumers.roots.map((root) => formatObject(root.ref)).join(', ');
  return end(
    'healthy',
    all,
    say(
      'synced',
      'Synced',
      `${short(followed.wanted)} is ${followed.health === 'applied' ? 'applied' : 'applied and healthy'}: ${names}`,
      all,
    ),
  );
}

/** The verdict when the time is up: never green, with the last known reason. */
export function timedOut(settled: Pick<Settled, 'judgements' | 'message' | 'reason'>): Verdict {
  return {
    verdict: 'timed-out',
    reason: settled.reason || 'TimedOut',
    message: settled.message || 'nothing was seen of it',
    objects: settled.judgements.map(({ ref, state, reason, message }) => ({ ...ref, state, reason, message })),
  };
}

/** Object, reason and message in one line. */
function sentence(one: Judgement): string {
  const subject = one.ref.name === '' ? '' : `${formatObject(one.ref)}: `;
  return `${subject}${one.reason}${one.message ? `: ${one.message}` : ''}`;
}

function short(target: string): string {
  return target.startsWith('sha256:') ? target.slice(0, 19) : target.slice(0, 12);
}

function readable(view: ClusterView, kind: 'OCIRepository' | 'GitRepository', namespace: string) {
  const all = view.access(kind, null).state;
  return all === 'forbidden' ? view.access(kind, namespace).state : all;
}
