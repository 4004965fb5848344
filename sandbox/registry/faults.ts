/** A disturbance: the next `times` requests that match are answered this way. */
export interface Fault {
  /** Any method where left out. */
  readonly method?: string;
  /** Tested against the path with its query; any where left out. */
  readonly path?: RegExp;
  /** Default: until removed. */
  readonly times?: number;
  /** Requests that match and are let through before it begins. */
  readonly after?: number;
  readonly delayMs?: number;
  /** The request waits for this, then goes on. */
  readonly until?: Promise<void>;
  /** Answered instead of the real answer. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** `half`: half of the body, then the connection is cut · `reset`: cut without an answer · `bytes`: another content. */
  readonly damage?: 'half' | 'reset' | 'bytes';
}

/** Disturbances in force. */
export interface Faults {
  /** Adds one; the answer removes it. */
  add(fault: Fault): () => void;
  clear(): void;
}

/** `take` gives the first fault in force for a request, and counts it. */
export function createFaults(): Faults & { take(method: string, path: string): Fault | undefined } {
  const active: { fault: Fault; seen: number; used: number }[] = [];
  return {
    add(fault) {
      const entry = { fault, seen: 0, used: 0 };
      active.push(entry);
      return () => void active.splice(active.indexOf(entry), active.includes(entry) ? 1 : 0);
    },
    clear: () => void active.splice(0),
    take(method, path) {
      for (const entry of active) {
        const { fault } = entry;
        if (fault.method !== undefined && fault.method !== method) continue;
        if (fault.path && !fault.path.test(path)) continue;
        if (entry.seen++ < (fault.after ?? 0) || entry.used >= (fault.times ?? Infinity)) continue;
        entry.used++;
        return fault;
      }
      return undefined;
    },
  };
}
