import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobEnd } from './run-job.ts';
import type { Row } from './state.ts';

/** Signals what the script started: every process of the group below the shell that reads the script. */
export async function signalScript(leader: number | undefined, signal: NodeJS.Signals): Promise<void> {
  if (leader === undefined) return;
  const parents = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const [, parent, group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(group) === leader) parents.set(Number(name), Number(parent));
  }
  // Parents first: a shell must have its own signal before it sees a child of its own end by one.
  for (const pid of [...parents.keys()].toSorted((a, b) => depthOf(a, parents) - depthOf(b, parents))) {
    if (pid === leader || parents.get(pid) === leader) continue;
    try {
      process.kill(pid, signal);
    } catch {
      continue;
    }
  }
}

function depthOf(pid: number, parents: ReadonlyMap<number, number>): number {
  let depth = 0;
  for (let at = parents.get(pid); at !== undefined && depth < parents.size; at = parents.get(at)) depth += 1;
  return depth;
}

/** Follows the job's log; credentials are `[MASKED]` in what is shown. */
export function logReader(folder: string, masked: readonly string[], row: Row) {
  const secrets = [...new Set(masked)].filter((value) => value.length >= 4).toSorted((a, b) => b.length - a.length);
  const head = `Running with gitlab-runner (shell executor)\nJob ${row.id}: ${row.name}\n`;
  const own = canceledLine(folder);
  const raw = () => {
    const output = join(folder, 'state', 'output');
    const name = existsSync(output) ? readdirSync(output)[0] : undefined;
    if (name === undefined) return head;
    const lines = readFileSync(join(output, name), 'utf8').split('\n');
    return head + lines.filter((line) => !line.includes(own.slice(0, 40))).join('\n');
  };
  const mask = (text: string) => secrets.reduce((shown, secret) => shown.replaceAll(secret, '[MASKED]'), text);
  return {
    raw,
    shown: () => mask(raw()),
    close(end: JobEnd) {
      const last =
        end.status === 'success'
          ? 'Job succeeded'
          : end.status === 'canceled'
            ? 'Job canceled'
            : `ERROR: Job failed: exit status ${end.exitCode ?? 1}`;
      const text = `${raw()}${last}\n`;
      return { raw: text, shown: mask(text) };
    },
  };
}

/** First line of an after_script: GitLab says there whether the job was canceled. */
export function canceledLine(folder: string): string {
  return `if [ -e '${join(folder, 'canceled')}' ]; then export CI_JOB_STATUS=canceled; fi`;
}
