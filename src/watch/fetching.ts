import { chooseSources, normalizeUrl, sourceKindOf } from '../notify/source-address.ts';
import type { ObjectRef } from '../notify/request.ts';
import { formatObject } from './kinds.ts';
import type { Relation } from './patience.ts';
import { judged, judgeStanding, type Judgement } from './readiness.ts';
import { judgeFetching, nearMiss, type SourceObject } from './source.ts';
import type { Followed } from './verdict.ts';
import type { ClusterView } from './view.ts';

/** The sources of one Followed, or why there are none. */
export interface FoundSources {
  readonly sources: readonly SourceObject[];
  /** For people, where there are none: what was looked for, and what comes near. */
  readonly message: string;
}

/** The sources that deliver what is followed. */
export function findSourcesIn(view: ClusterView, followed: Followed): FoundSources {
  const kind = sourceKindOf(followed);
  const candidates = new Map<string, SourceObject>();
  for (const url of followed.urls)
    for (const source of view.sourcesAt(normalizeUrl(url))) candidates.set(source.key, source);
  for (const name of followed.objects) {
    const source = view.source({ kind, namespace: followed.namespace, name });
    if (source) candidates.set(source.key, source);
  }
  const raw = [...candidates.values()].map((one) => one.raw);
  const chosen = new Set(chooseSources(raw, followed));
  const near = [...candidates.values()].flatMap((one) => {
    const how = nearMiss(one, followed);
    return how === undefined ? [] : [`${formatObject(one.ref)} follows ${how}`];
  });
  const address =
    followed.source === 'oci'
      ? `oci://${followed.urls[0] ?? ''} with tag ${followed.reference}`
      : `${followed.urls[0] ?? ''} with branch ${followed.reference}`;
  return {
    sources: [...candidates.values()].filter((one) => chosen.has(one.raw)),
    message: `no ${kind} follows ${address}${near.length > 0 ? `; ${near.join(', ')}` : ''}`,
  };
}

/** How far our revision has come into the sources. */
export interface Fetching {
  readonly judgements: readonly Judgement[];
  /** Revisions that count as ours: ours, and newer ones that contain it and still hold our values. */
  readonly wanted: ReadonlySet<string>;
  /** Sources that do not show one of them yet. */
  readonly behind: readonly ObjectRef[];
  /** Keys of those that do. */
  readonly reached: readonly string[];
  /** Revisions whose relation to ours is not known (commit, or the whole revision where there is none). */
  readonly questions: readonly string[];
  /** Why our revision will not come any more. */
  readonly superseded: string | undefined;
}

/**
 * Compares what the sources show with what is wanted. A revision that is not related to ours counts as older, for a run
 * in flight may have read the tag before our push, unless this source has shown ours before: then somebody moved it back.
 */
export function judgeSources(
  followed: Followed,
  sources: readonly SourceObject[],
  relations: ReadonlyMap<string, Relation>,
  hasShown: (key: string) => boolean,
): Fetching {
  const wanted = new Set([followed.wanted]);
  const judgements: Judgement[] = [];
  const behind: ObjectRef[] = [];
  const reached: string[] = [];
  const questions: string[] = [];
  let superseded: string | undefined;
  for (const source of sources) {
    const theirs =
      source.target === undefined || source.target === followed.wanted ? undefined : (source.commit ?? source.revision);
    const relation = theirs === undefined ? undefined : relations.get(theirs);
    if (theirs !== undefined && relation === undefined) questions.push(theirs);
    const here = source.target === followed.wanted || relation === 'follow';
    if (here && source.target !== undefined) {
      wanted.add(source.target);
      reached.push(source.key);
    }
    const standing = judgeStanding(source);
    if (standing) judgements.push(standing);
    else if (here) judgements.push(judged(source.ref, 'ready', 'Fetched', source.revision ?? '', { applied: true }));
    else if (relation === 'gone') superseded ??= `${formatObject(source.ref)} has moved on to ${source.revision}`;
    else if (relation === 'other' && hasShown(source.key))
      superseded ??= `${formatObject(source.ref)} has been moved to ${source.revision}, which does not contain ours`;
    else {
      behind.push(source.ref);
      const has = source.revision === undefined ? '' : `; it has ${source.revision}`;
      judgements.push(judgeFetching(source, `${shortTarget(followed.wanted)}${has}`));
    }
  }
  return { judgements, wanted, behind, reached, questions, superseded };
}

/** A digest or commit for people. */
export function shortTarget(target: string): string {
  return target.startsWith('sha256:') ? target.slice(0, 'sha256:'.length + 12) : target.slice(0, 12);
}
