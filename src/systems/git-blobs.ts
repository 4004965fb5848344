import { Fault } from '../fault.ts';
import type { Processes } from './process.ts';

/**
 * Contents of blobs by one `git cat-file --batch`, in the order asked for, each as soon as it is complete;
 * they are asked for when `ready` (their fetch), and git is started before.
 * Fault `commit_missing` where a blob is not in the repository.
 */
export async function* streamBlobs(
  processes: Processes,
  folder: string,
  env: Readonly<Record<string, string>>,
  oids: readonly string[],
  signal?: AbortSignal,
  ready?: Promise<void>,
): AsyncIterable<{ readonly oid: string; readonly content: Uint8Array }> {
  if (oids.length === 0) return;
  const child = processes.start('git', ['cat-file', '--batch', '--buffer'], { cwd: folder, env, signal });
  // A child that ends early is told by `done`; the broken pipe says nothing more.
  child.stdin.on('error', () => {});
  const bytes = reader(child.stdout);
  let finished = false;
  try {
    await ready;
    child.stdin.end(oids.map((oid) => `${oid}\n`).join(''));
    for (const oid of oids) {
      const header = await bytes.line();
      const size = /^[0-9a-f]+ blob (\d+)$/.exec(header ?? '')?.[1];
      if (header === null) break;
      if (size === undefined) throw new Fault('commit_missing', `object ${oid} is no blob of ${folder} (${header})`);
      const content = await bytes.take(Number(size));
      await bytes.take(1);
      if (content === null) break;
      yield { oid, content };
    }
    finished = true;
  } finally {
    if (!finished) child.kill();
  }
  await child.done;
}

/** Reads lines and counted bytes from a stream of chunks. */
function reader(stream: AsyncIterable<Uint8Array>) {
  const chunks = stream[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  async function more(): Promise<Buffer | null> {
    const next = await chunks.next();
    if (next.done) return null;
    const { buffer, byteOffset, byteLength } = next.value;
    return Buffer.from(buffer, byteOffset, byteLength);
  }
  return {
    async line(): Promise<string | null> {
      for (;;) {
        const end = rest.indexOf(10);
        if (end >= 0) {
          const line = rest.subarray(0, end).toString();
          rest = rest.subarray(end + 1);
          return line;
        }
        const next = await more();
        if (next === null) return null;
        rest = Buffer.concat([rest, next]);
      }
    },
    async take(size: number): Promise<Uint8Array | null> {
      const taken = new Uint8Array(size);
      let have = 0;
      for (;;) {
        const part = rest.subarray(0, size - have);
        taken.set(part, have);
        have += part.length;
        rest = rest.subarray(part.length);
        if (have === size) return taken;
        const next = await more();
        if (next === null) return null;
        rest = next;
      }
    },
  };
}
