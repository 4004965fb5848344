import type { Origin } from '../app/change.ts';
import { Fault, faultRecord } from '../fault.ts';
import type { FaultRecord } from '../fault.ts';
import { shortCommit } from '../revision.ts';
import { deploymentState, postDeployment } from '../status/deployment.ts';
import { noteMarker, noteText } from '../status/note.ts';
import type { NoteRow } from '../status/note.ts';
import type { Outcome } from '../status/outcome.ts';
import type { GitLab } from '../systems/gitlab.ts';
import type { ObjectState } from '../watch/verdict.ts';
import type { Cell } from './progress.ts';
import { sumOf } from './progress.ts';
import type { SyncTarget } from './target.ts';

/** What became of one deployment or note in an application project. */
export interface Announced {
  readonly environment: string;
  readonly app: string;
  readonly way: 'deployment' | 'note';
  readonly project: string;
  readonly sha: string;
  /** GitLab's id of the deployment or note; null where there is none. */
  readonly id: number | null;
  /** Of the merge request, for a note. */
  readonly iid?: number;
  readonly message: string;
  readonly fault?: FaultRecord;
}

interface AnnounceOptions {
  readonly targets: readonly SyncTarget[];
  /** All final. */
  readonly cells: readonly Cell[];
  readonly verified: (target: SyncTarget) => readonly Origin[];
  readonly place: { readonly project: string; readonly commit: string };
  readonly jobUrl: string | null;
  readonly gitlabFor: (app: string) => Promise<GitLab>;
  readonly signal: AbortSignal;
  /** Ends requests to a GitLab that does not answer. */
  readonly until: AbortSignal;
  readonly warn: (text: string) => void;
}

interface Told {
  readonly target: SyncTarget;
  readonly origin: Origin;
  readonly outcome: Outcome;
  readonly objects: readonly ObjectState[];
}

/**
 * Tells application projects the end by the ways `deployment` and `note`, once all is final: nothing is begun that
 * something would have to close. What GitLab refuses is warned of and stands in the result.
 */
export async function announce(options: AnnounceOptions): Promise<readonly Announced[]> {
  const { targets, cells } = options;
  const told = targets.flatMap((target): readonly Told[] => {
    const own = cells.filter(
      (cell) => cell.app === target.pair.app.name && cell.environment === target.pair.environment.name,
    );
    const outcome = sumOf(own);
    if (outcome === null) return [];
    return options
      .verified(target)
      .map((origin) => ({ target, origin, outcome, objects: own.flatMap(({ objects }) => objects) }));
  });
  const by = (way: 'deployment' | 'note') => told.filter(({ target }) => target.pair.report.includes(way));
  const results: Announced[] = [];
  for (const one of by('deployment')) {
    // In the delivery project the job’s own `environment:` makes the deployment.
    if (one.origin.project !== options.place.project) results.push(...(await tellDeployment(options, one)));
  }
  const commits = Map.groupBy(by('note'), ({ origin }) => `${origin.project}@${origin.commit}`);
  for (const group of commits.values()) results.push(...(await tellNotes(options, group)));
  return results;
}

async function tellDeployment(options: AnnounceOptions, told: Told): Promise<readonly Announced[]> {
  const { target, origin, outcome, objects } = told;
  const state = deploymentState(outcome.outcome);
  if (state === null) return [];
  const [cluster] = target.pair.environment.clusters;
  const [, project, name] = /^([^\s:]+\/[^\s:]+):([^\s:]+)$/.exec(cluster?.context ?? '') ?? [];
  const applier = objects.find(({ kind }) => kind === 'Kustomization' || kind === 'HelmRelease');
  return guarded(options, told, 'deployment', async (gitlab) => {
    const posted = await postDeployment(gitlab, {
      project: origin.project,
      environment: target.deploysTo,
      sha: origin.commit,
      ref: origin.ref || ((await gitlab.project(origin.project))?.defaultBranch ?? 'main'),
      state,
      dashboard: {
        agent: project === undefined || name === undefined ? null : { project, name },
        namespace: objects.find(({ kind }) => kind === 'Deployment')?.namespace ?? null,
        fluxResource: applier === undefined ? null : fluxResource(applier),
      },
    });
    return [{ id: posted.id, message: `${target.deploysTo}: ${posted.state}` }];
  });
}

function fluxResource({ kind, namespace, name }: ObjectState): string {
  return kind === 'Kustomization'
    ? `kustomize.toolkit.fluxcd.io/v1/namespaces/${namespace}/kustomizations/${name}`
    : `helm.toolkit.fluxcd.io/v2/namespaces/${namespace}/helmreleases/${name}`;
}

async function tellNotes(options: AnnounceOptions, group: readonly Told[]): Promise<readonly Announced[]> {
  const first = group[0]!;
  const { project, commit } = first.origin;
  return guarded(options, first, 'note', async (gitlab) => {
    const requests = await gitlab.commitMergeRequests(project, commit);
    const merged = requests.filter(({ state }) => state === 'merged');
    const rows = group.map(({ target, outcome }): NoteRow => ({
      environment: target.pair.environment.name,
      app: target.pair.app.name,
      result: outcome.outcome,
      message: outcome.outcome === 'synced' ? '' : outcome.message,
      links: [
        `[${shortCommit(options.place.commit)}](${gitlab.url}/${options.place.project}/-/commit/${options.place.commit})`,
        ...(options.jobUrl === null ? [] : [`[job](${options.jobUrl})`]),
      ],
    }));
    const notes: { id: number; iid: number; message: string }[] = [];
    for (const { iid } of (merged.length > 0 ? merged : requests).slice(0, 5))
      notes.push({ id: await writeNote(gitlab, project, iid, rows), iid, message: `!${iid}` });
    return notes;
  });
}

/** Writes, and looks again: another environment's run may have written the same note in between. */
async function writeNote(gitlab: GitLab, project: string, iid: number, rows: readonly NoteRow[]): Promise<number> {
  const bot = await gitlab.me();
  const own = async () =>
    (await gitlab.notes(project, iid)).find(({ body, author }) => author === bot && body.includes(noteMarker));
  for (let attempt = 1; ; attempt += 1) {
    const standing = await own();
    const text = noteText(standing?.body ?? null, rows);
    if (standing !== undefined && standing.body.trim() === text.trim()) return standing.id;
    const id = await gitlab.saveNote(project, iid, standing?.id ?? null, text);
    if (attempt === 3) return id;
  }
}

async function guarded(
  options: AnnounceOptions,
  { target, origin }: Told,
  way: Announced['way'],
  act: (gitlab: GitLab) => Promise<readonly Pick<Announced, 'id' | 'iid' | 'message'>[]>,
): Promise<readonly Announced[]> {
  const base = {
    environment: target.pair.environment.name,
    app: target.pair.app.name,
    way,
    project: origin.project,
    sha: origin.commit,
  };
  try {
    const gitlab = (await options.gitlabFor(target.pair.app.name)).within(options.until);
    return (await act(gitlab)).map((one) => ({ ...base, ...one }));
  } catch (error) {
    options.signal.throwIfAborted();
    if (!(error instanceof Fault)) throw error;
    options.warn(`no ${way} can be posted to ${origin.project}: ${error.message} ${error.hint}`);
    return [{ ...base, id: null, message: error.message, fault: faultRecord(error) }];
  }
}
