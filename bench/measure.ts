import { spawn } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
/** The project's own Node. */
export const node = join(root, 'node_modules', '.bin', 'node');
/** The packaged CLI. */
export const cli = join(root, 'dist', 'sluice.js');

/** One row of a bench: a figure, its floor in the same run, and the goal for their ratio. */
export interface Row {
  readonly name: string;
  /** In `unit`. */
  readonly value: number;
  /** null: there is none; the figure stands beside the others. */
  readonly floor: number | null;
  readonly unit: string;
  readonly goal: string;
  /** What belongs to the figure, e.g. failures. */
  readonly note?: string;
}

/** How large the benches are. */
export interface BenchOptions {
  /** Numbers of concurrent writers. */
  readonly writers: readonly number[];
  /** Commits of the big history. */
  readonly commits: number;
  /** Manifests in the big history. */
  readonly manifests: number;
  /** YAML files to discover in. */
  readonly files: number;
  readonly rounds: number;
}

/** How a command ended. */
export interface Ended {
  readonly code: number | null;
  readonly seconds: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Options of a command: folder, whole environment, text for its stdin. */
export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
}

/** Runs a command to its end, whatever its exit code. */
export function runToEnd(command: string, args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const { input = '', ...rest } = options;
    const child = spawn(command, args, { ...rest, stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (data) => (stdout += String(data)));
    child.stderr.on('data', (data) => (stderr += String(data)));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, seconds: (performance.now() - started) / 1000, stdout, stderr }));
  });
}

/** As `runToEnd`; rejects where the command fails. */
export async function runCommand(command: string, args: readonly string[], options?: CommandOptions): Promise<Ended> {
  const ended = await runToEnd(command, args, options);
  if (ended.code === 0) return ended;
  throw new Error(`${command} ${args.slice(0, 2).join(' ')} ended with ${ended.code}: ${ended.stderr.slice(-500)}`);
}

/** Wall seconds of a command; rejects when it fails. */
export async function timeCommand(command: string, args: readonly string[], options?: CommandOptions): Promise<number> {
  return (await runCommand(command, args, options)).seconds;
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
  return quantile(values, 0.5);
}

/** The value below which a share of the list lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Rows as text: figure, floor, ratio, goal. */
export function rowsText(rows: readonly Row[]): string {
  return rows
    .map(({ name, value, floor, unit, goal, note }) => {
      const beside = floor === null ? '' : `, floor ${floor.toFixed(3)} ${unit}, ratio ${(value / floor).toFixed(2)}`;
      return `${name}: ${value.toFixed(3)} ${unit}${beside} (goal ${goal})${note === undefined ? '' : `; ${note}`}`;
    })
    .join('\n');
}
