import type { ClusterObject } from '../handle.ts';
import { at, fields, list, spec, text } from '../store/object.ts';
import { kindOf, type World } from './world.ts';

/** What a controller tells notification-controller. */
export interface FluxEvent {
  readonly object: ClusterObject;
  readonly severity: 'info' | 'error';
  readonly reason: string;
  readonly message: string;
  /** `revision`, `originRevision`, `commit_status: update` on a final success. */
  readonly metadata: Readonly<Record<string, string>>;
}

const annotationPrefix = 'event.toolkit.fluxcd.io/';

/** The 40 hex digits that a revision ends with (fluxcd/pkg git), or null. */
function commitOf(revision: string): string | null {
  const last = revision.split(/[:/]/).at(-1) ?? '';
  return /^[0-9a-f]{40}$/.test(last) ? last : null;
}

/** `HealthCheckFailed` → `health check failed`. */
const inWords = (reason: string) => reason.replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase();

function isMeant(alert: ClusterObject, event: FluxEvent): boolean {
  const { eventSeverity, suspend } = spec(alert);
  if (suspend === true || (eventSeverity === 'error' && event.severity !== 'error')) return false;
  return list(spec(alert)['eventSources']).some((source) => {
    const namespace = text(at(source, 'namespace')) || alert.metadata.namespace;
    const labels = Object.entries(fields(at(source, 'matchLabels')));
    const { metadata, kind } = event.object;
    return (
      at(source, 'kind') === kind &&
      namespace === metadata.namespace &&
      (at(source, 'name') === '*' || at(source, 'name') === metadata.name) &&
      labels.every(([label, value]) => metadata.labels?.[label] === value)
    );
  });
}

async function report(world: World, provider: ClusterObject, event: FluxEvent): Promise<void> {
  const annotations = event.object.metadata.annotations ?? {};
  const given = annotations[`${annotationPrefix}commit`];
  const { commit_status: mark, originRevision, revision = '' } = event.metadata;
  if (given === undefined && mark !== 'update' && event.severity !== 'error') return;
  const sha = commitOf(given ?? originRevision ?? revision);
  if (sha === null) return world.log(`notification-controller: no commit in ${originRevision ?? revision}`);
  const name = text(at(provider, 'spec', 'secretRef', 'name'));
  const secret = world.store.find(kindOf(world.store, 'Secret'), provider.metadata.namespace ?? '', name);
  const token = Buffer.from(text(fields(secret?.['data'])['token']), 'base64').toString('utf8');
  const { origin, pathname } = new URL(text(spec(provider)['address']));
  const project = encodeURIComponent(pathname.replace(/^\/|\/$|\.git$/g, ''));
  const api = world.locate(`${origin}/api/v4/projects/${project}`);
  const headers = {
    'private-token': token,
    'user-agent': 'go-gitlab',
    'content-type': 'application/json',
    accept: 'application/json',
  };
  const id = `${event.object.kind.toLowerCase()}/${event.object.metadata.name}/${(provider.metadata.uid ?? '').split('-')[0]}`;
  const status = {
    state: event.severity === 'error' ? 'failed' : 'success',
    name: id,
    description: inWords(event.reason),
  };
  const listed = await fetch(`${api}/repository/commits/${sha}/statuses?name=${encodeURIComponent(id)}`, { headers });
  if (!listed.ok) throw new Error(`GET statuses: ${listed.status}`);
  const isThere = list(await listed.json()).some(
    (one) =>
      at(one, 'name') === id && at(one, 'status') === status.state && at(one, 'description') === status.description,
  );
  if (isThere) return undefined;
  const posted = await fetch(`${api}/statuses/${sha}`, { method: 'POST', headers, body: JSON.stringify(status) });
  if (!posted.ok) throw new Error(`POST status: ${posted.status}`);
  return undefined;
}

/** notification-controller's way for events: one sender for all Alerts, with its 5 minutes of deduplication. */
export function createAlerts(world: World): { readonly send: (event: FluxEvent) => void; settle(): Promise<void> } {
  const sent = new Map<string, number>();
  const running = new Set<Promise<void>>();
  let isStopped = false;
  return {
    send: (event) => {
      const { kind, metadata } = event.object;
      const key = JSON.stringify([kind, metadata.namespace, metadata.name, event.message, event.metadata]);
      if (
        isStopped ||
        event.reason === 'Progressing' ||
        world.now() - (sent.get(key) ?? -Infinity) < world.scaled(300_000)
      )
        return;
      sent.set(key, world.now());
      for (const alert of world.store.list(kindOf(world.store, 'Alert')).filter((one) => isMeant(one, event))) {
        const name = text(at(alert, 'spec', 'providerRef', 'name'));
        const provider = world.store.find(kindOf(world.store, 'Provider'), alert.metadata.namespace ?? '', name);
        if (!provider || !['gitlab'].includes(text(spec(provider)['type'])) || spec(provider)['suspend'] === true)
          continue;
        const job = report(world, provider, event).catch((error: unknown) =>
          world.log(`notification-controller: ${String(error)}`),
        );
        running.add(job);
        void job.finally(() => running.delete(job));
      }
    },
    settle: async () => {
      isStopped = true;
      await Promise.allSettled(running);
    },
  };
}
