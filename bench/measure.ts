import { spawn } from 'node:child_process';

/** One row of a bench: a figure, its floor in the same run, and the goal for their ratio. */
export interface Row {
  readonly name: string;
  /** Median wall seconds (or the unit named). */
  readonly value: number;
  readonly floor: number;
  readonly unit: string;
  readonly goal: string;
}

/** Wall seconds of a command whose output is thrown away; rejects when it fails. */
export function timeCommand(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
    let text = '';
    child.stderr.on('data', (data) => (text += String(data)));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve((performance.now() - started) / 1000);
      else reject(new Error(`${command} ${args[0] ?? ''} ended with ${code}: ${text.slice(-500)}`));
    });
  });
}

/** Runs two tasks in turn, so that both meet the same machine, and gives the medians. */
export async function paired(
  rounds: number,
  task: () => Promise<number>,
  floor: () => Promise<number>,
): Promise<{ readonly value: number; readonly floor: number }> {
  const values: number[] = [];
  const floors: number[] = [];
  await task();
  await floor();
  for (let round = 0; round < rounds; round += 1) {
    values.push(await task());
    floors.push(await floor());
  }
  return { value: median(values), floor: median(floors) };
}

/** Middle of a list. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Rows as text: figure, floor, ratio, goal. */
export function rowsText(rows: readonly Row[]): string {
  return rows
    .map(
      ({ name, value, floor, unit, goal }) =>
        `${name}: ${value.toFixed(3)} ${unit}, floor ${floor.toFixed(3)} ${unit}, ratio ${(value / floor).toFixed(2)} (goal ${goal})`,
    )
    .join('\n');
}
