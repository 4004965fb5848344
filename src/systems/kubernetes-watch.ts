import type { Readable } from 'node:stream';
import type { KubernetesObject, WatchEvent } from './cluster.ts';

const TYPES: Readonly<Record<string, 'added' | 'modified' | 'deleted'>> = {
  ADDED: 'added',
  MODIFIED: 'modified',
  DELETED: 'deleted',
};

/**
 * Reads the lines of a Kubernetes watch: JSON objects {type, object}. Bookmarks only prove that the stream lives; an
 * ERROR event (410 Gone comes so, inside a 200 answer), a line that is no JSON, silence for `idleMs` or the end of the
 * stream end it with one `gone`. An abort ends it silently.
 */
export async function* readWatch(
  body: Readable,
  options: {
    readonly idleMs: number;
    readonly signal: AbortSignal;
    readonly read: (item: KubernetesObject) => KubernetesObject;
  },
): AsyncGenerator<WatchEvent> {
  let reason = 'the stream ended';
  const silence = setTimeout(() => {
    reason = `nothing heard for ${options.idleMs} ms`;
    body.destroy();
  }, options.idleMs);
  let rest = '';
  body.setEncoding('utf8');
  try {
    for await (const chunk of body) {
      silence.refresh();
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line.trim() === '') continue;
        const event = parse(line);
        if (!event) {
          reason = 'a line of the stream is no watch event';
          yield { type: 'gone', reason };
          return;
        }
        const type = TYPES[event.type];
        if (type) yield { type, object: options.read(event.object) };
        else if (event.type !== 'BOOKMARK') {
          yield { type: 'gone', reason: describeError(event.object) };
          return;
        }
      }
    }
  } catch (error) {
    if (!options.signal.aborted && error instanceof Error && !reason.startsWith('nothing')) reason = error.message;
  } finally {
    clearTimeout(silence);
    body.destroy();
  }
  if (!options.signal.aborted) yield { type: 'gone', reason };
}

/** Code and message of the Status object in an ERROR event. */
function describeError(status: object): string {
  const fields = status as { readonly code?: unknown; readonly message?: unknown };
  const code = typeof fields.code === 'number' ? `${fields.code} ` : '';
  return `${code}${typeof fields.message === 'string' ? fields.message : 'the watch ended with an error'}`;
}

function parse(line: string): { readonly type: string; readonly object: KubernetesObject } | undefined {
  try {
    const event: unknown = JSON.parse(line);
    if (typeof event !== 'object' || event === null || !('type' in event) || !('object' in event)) return undefined;
    return typeof event.type === 'string' && typeof event.object === 'object' && event.object !== null
      ? { type: event.type, object: event.object as KubernetesObject }
      : undefined;
  } catch {
    return undefined;
  }
}
