import { Fault } from '../fault.ts';
import type { BlobContent } from './git.ts';
import type { Processes } from './process.ts';

/**
 * Contents of blobs by one `git cat-file --batch`, in the order asked for, each as soon as it is complete;
 * they are asked for when `ready` (their fetch), and git is started before.
 * Fault `commit_missing` where a blob is not in the repository.
 */
export async function* streamContents(
  processes: Processes,
  folder: string,
  env: Readonly<Record<string, string>>,
  oids: readonly string[],
  signal?: AbortSignal,
  ready?: Promise<void>,
): AsyncIterable<BlobContent> {
  if (oids.length === 0) return;
  const child = processes.start('git', ['cat-file', '--batch', '--buffer'], { cwd: folder, env, signal });
  // A child that ends early is told by `done`; the broken pipe says nothing more.
  child.stdin.on('error', () => {});
  const bytes = reader(child.stdout, async () => {
    await child.done;
    throw new Fault('commit_missing', `git ended before all objects of ${folder} were read`);
  });
  let finished = false;
  try {
    await ready;
    child.stdin.end(oids.map((oid) => `${oid}\n`).join(''));
    for (const oid of oids) {
      const header = await bytes.line();
      const size = /^[0-9a-f]+ blob (\d+)$/.exec(header ?? '')?.[1];
      if (header === null) break;
      if (size === undefined) throw new Fault('commit_missing', `object ${oid} is no blob of ${folder} (${header})`);
      bytes.limit(Number(size));
      yield { oid, size: Number(size), whole: () => bytes.whole(), chunks: () => bytes.chunks() };
      await bytes.pass(1);
    }
    finished = true;
  } finally {
    if (!finished) child.kill();
  }
  await child.done;
}

/** As `streamContents`, each content whole. */
export async function* streamBlobs(
  ...asked: Parameters<typeof streamContents>
): AsyncIterable<{ readonly oid: string; readonly content: Uint8Array }> {
  for await (const blob of streamContents(...asked)) yield { oid: blob.oid, content: await blob.whole() };
}

/** Reads lines and counted bytes from a stream; `ended` tells why it ends too early. */
function reader(stream: AsyncIterable<Uint8Array>, ended: () => Promise<never>) {
  const pieces = stream[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  let left = 0;
  async function more(): Promise<Buffer | null> {
    const next = await pieces.next();
    if (next.done) return null;
    const { buffer, byteOffset, byteLength } = next.value;
    return Buffer.from(buffer, byteOffset, byteLength);
  }
  /** Up to `left` bytes, at least one. */
  async function part(): Promise<Buffer> {
    if (rest.length === 0) rest = (await more()) ?? (await ended());
    const taken = rest.subarray(0, left);
    rest = rest.subarray(taken.length);
    left -= taken.length;
    return taken;
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
    /** How many bytes are to be read next. */
    limit(size: number) {
      left = size;
    },
    async whole(): Promise<Uint8Array> {
      const taken = new Uint8Array(left);
      for (let have = 0; left > 0;) {
        const bytes = await part();
        taken.set(bytes, have);
        have += bytes.length;
      }
      return taken;
    },
    async *chunks(): AsyncGenerator<Uint8Array, void, void> {
      while (left > 0) yield await part();
    },
    /** Passes over what was not read, and so many bytes more. */
    async pass(beyond: number): Promise<void> {
      left += beyond;
      while (left > 0) await part();
    },
  };
}
