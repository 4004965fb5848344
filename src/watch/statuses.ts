import type { ObjectRef } from '../notify/request.ts';
import type { Clock } from '../systems/clock.ts';
import type { GitLab, GitLabStatus } from '../systems/gitlab.ts';
import type { AskSource } from './acts.ts';
import type { Followed, Observation, ObjectState, Verdict } from './verdict.ts';

/** What following by GitLab's statuses needs. */
export interface StatusFollowOptions {
  readonly gitlab: GitLab;
  /** The delivery project, which Flux's Provider posts to. */
  readonly project: string;
  readonly followed: readonly Followed[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
  /** Called once for each: without a cluster only direct Receivers can be asked. */
  readonly ask?: AskSource;
  /** Pause between two looks, and how long a success must stand without a failure; milliseconds. */
  readonly pace?: { readonly look: number; readonly stand: number };
}

/** Flux's names: kind, object, first part of the Provider's UID (notification-controller, internal/notifier/gitlab.go). */
const fluxName = /^(kustomization|helmrelease)\/([^/]+)\/[0-9a-f]{8}$/;
const defaultPace = { look: 5_000, stand: 15_000 };

/**
 * Follows by what Flux's own GitLab Provider posts on the delivery commit: needs no cluster credential, and is weaker. The
 * Provider knows success and failed alone, may be green before it is red, and its names tell neither cluster nor
 * namespace: a success counts when it has stood for a while, and every message says where it comes from. Faults as
 * `GitLab`; the signal's reason.
 */
export async function* followStatuses(options: StatusFollowOptions): AsyncGenerator<Observation> {
  const { clock, signal, project } = options;
  const gitlab = options.gitlab.within(signal);
  const pace = options.pace ?? defaultPace;
  const since = new Map<Followed, number>();
  const shown = new Map<Followed, string>();
  for (const followed of options.followed) void options.ask?.(followed, sourceOf(followed)).catch(() => undefined);
  for (let open = options.followed; open.length > 0;) {
    signal.throwIfAborted();
    const now = clock.now();
    const byCommit = new Map<string, readonly GitLabStatus[]>();
    for (const commit of new Set(open.map((followed) => followed.commit)))
      byCommit.set(commit, await gitlab.statuses(project, commit));
    const next: Followed[] = [];
    for (const followed of open) {
      const rows = (byCommit.get(followed.commit) ?? []).filter(({ name }) => isOf(name, followed));
      const green = rows.length > 0 && rows.every(({ state }) => state === 'success');
      if (!green) since.delete(followed);
      else if (!since.has(followed)) since.set(followed, now);
      const stands = green && now - since.get(followed)! >= pace.stand;
      const { message, verdict } = judge(followed, rows, stands, now >= options.deadline);
      const phase = stands ? 'healthy' : green ? 'applied' : 'waiting';
      if (verdict === null) next.push(followed);
      if (verdict !== null || shown.get(followed) !== message) yield { followed, at: now, phase, message, verdict };
      shown.set(followed, message);
    }
    open = next;
    if (open.length > 0) await clock.sleep(Math.min(pace.look, Math.max(0, options.deadline - clock.now())), signal);
  }
}

function judge(
  followed: Followed,
  rows: readonly GitLabStatus[],
  stands: boolean,
  over: boolean,
): { readonly message: string; readonly verdict: Verdict | null } {
  const failed = rows.find(({ state }) => state === 'failed');
  const objects = rows.map(objectOf);
  const says = (row: GitLabStatus) =>
    `Flux’s GitLab provider says ${row.name}: ${row.description ?? row.state} (weaker than the cluster itself)`;
  if (failed) {
    const message = says(failed);
    return { message, verdict: { verdict: 'failed', reason: 'ProviderFailed', message, objects } };
  }
  const [first] = rows;
  const message =
    first === undefined
      ? `Flux’s GitLab provider has posted nothing yet for ${namesOf(followed).join(', ')}`
      : says(first);
  if (stands) return { message, verdict: { verdict: 'synced', reason: 'ProviderSucceeded', message, objects } };
  if (!over) return { message, verdict: null };
  const late = `no verdict in time; last seen: ${message}`;
  return { message: late, verdict: { verdict: 'timed-out', reason: 'TimedOut', message: late, objects } };
}

const namesOf = ({ objects, app, artifact }: Followed) =>
  objects.length > 0 ? objects : [...new Set([artifact, app])];

function isOf(name: string, followed: Followed): boolean {
  const [, , object] = fluxName.exec(name) ?? [];
  return object !== undefined && namesOf(followed).includes(object);
}

function objectOf({ name, state, description }: GitLabStatus): ObjectState {
  const [kind, object = name] = name.split('/');
  return {
    kind: kind === 'helmrelease' ? 'HelmRelease' : 'Kustomization',
    namespace: '',
    name: object,
    state: state === 'success' ? 'ready' : state === 'failed' ? 'failed' : 'progressing',
    reason: 'Provider',
    message: description ?? '',
  };
}

function sourceOf(followed: Followed): ObjectRef {
  return {
    kind: followed.source === 'oci' ? 'OCIRepository' : 'GitRepository',
    namespace: followed.namespace,
    name: followed.objects[0] ?? followed.artifact,
  };
}
