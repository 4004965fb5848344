import type { ServerResponse } from 'node:http';
import type { ClusterObject } from '../handle.ts';
import type { Resource } from '../store/kinds.ts';
import { statusBody, StatusError } from '../store/status-error.ts';
import type { Change, Store } from '../store/store.ts';

/** What a watch follows. */
export interface WatchRequest {
  readonly resource: Resource;
  readonly namespace: string | null;
  readonly matches: (object: ClusterObject) => boolean;
  /** Changes after this version; null = begin with all that stands. */
  readonly from: number | null;
  readonly bookmarks: boolean;
  /** Milliseconds between bookmarks. */
  readonly bookmarkEvery: number;
  /** A bookmark marks the end of what stood (`sendInitialEvents`). */
  readonly marksInitialEnd: boolean;
  /** Milliseconds until the server ends the stream. */
  readonly lasts: number;
}

/** The event that a change is for this watch: an object that stops matching is deleted from its sight. */
function seen(change: Change, request: WatchRequest): { type: Change['type']; object: ClusterObject } | null {
  if (request.namespace !== null && change.object.metadata.namespace !== request.namespace) return null;
  const isIn = request.matches(change.object);
  const wasIn = change.before !== undefined && request.matches(change.before);
  if (change.type === 'DELETED') return wasIn || isIn ? { type: 'DELETED', object: change.object } : null;
  if (isIn) return { type: wasIn ? 'MODIFIED' : 'ADDED', object: change.object };
  return wasIn ? { type: 'DELETED', object: change.object } : null;
}

/** Streams a watch as lines of JSON. Returns the function that cuts it. A version too old is an ERROR event, as the API server does. */
export function streamWatch(store: Store, request: WatchRequest, response: ServerResponse): () => void {
  const { resource } = request;
  const apiVersion = resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
  const write = (type: string, object: unknown) => response.write(`${JSON.stringify({ type, object })}\n`);
  const bookmark = (annotations?: Record<string, string>) => {
    const metadata = {
      resourceVersion: String(store.version()),
      ...(annotations === undefined ? {} : { annotations }),
    };
    write('BOOKMARK', { kind: resource.kind, apiVersion, metadata });
  };
  response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();

  if (request.from === null) {
    for (const object of store.list(resource, request.namespace)) if (request.matches(object)) write('ADDED', object);
    if (request.marksInitialEnd) bookmark({ 'k8s.io/initial-events-end': 'true' });
  } else {
    try {
      for (const change of store.since(request.from)) {
        if (change.resource.plural !== resource.plural || change.resource.group !== resource.group) continue;
        const event = seen(change, request);
        if (event) write(event.type, event.object);
      }
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      write('ERROR', statusBody(error));
      response.end();
      return () => undefined;
    }
  }
  const unsubscribe = store.subscribe((change) => {
    if (change.resource.plural !== resource.plural || change.resource.group !== resource.group) return;
    const event = seen(change, request);
    if (event) write(event.type, event.object);
  });
  const timers = [setTimeout(() => response.end(), request.lasts)];
  if (request.bookmarks) timers.push(setInterval(bookmark, request.bookmarkEvery));
  const end = () => {
    unsubscribe();
    for (const timer of timers) clearTimeout(timer);
  };
  response.on('close', end);
  return () => {
    end();
    response.destroy();
  };
}
