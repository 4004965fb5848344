import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a test run came to. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

/** Runs a command; quiet ones give their output back. */
export function runCommand(
  command: readonly string[],
  quiet: boolean,
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ code: number; text: string }> {
  return new Promise((resolve, reject) => {
    const output = quiet ? 'pipe' : 'inherit';
    const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', output, output], env });
    let text = '';
    child.stdout?.on('data', (data) => (text += String(data)));
    child.stderr?.on('data', (data) => (text += String(data)));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, text }));
  });
}

/** Runs vitest and counts; a skipped test and a file that does not load count as failed. */
export async function runVitest(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Counts> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  const file = join(folder, 'vitest.json');
  try {
    const { code } = await runCommand(
      ['vitest', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`, ...args],
      false,
      env,
    );
    const report = JSON.parse(await readFile(file, 'utf8')) as Report;
    const unloaded = report.testResults.filter(
      (result) => result.status === 'failed' && result.assertionResults.length === 0,
    ).length;
    const skipped = report.numPendingTests + report.numTodoTests;
    if (skipped > 0) process.stdout.write(`${skipped} tests were skipped: a skipped test counts as failed\n`);
    const failed = report.numFailedTests + unloaded + skipped;
    return { passed: report.numPassedTests, failed: failed === 0 && code !== 0 ? 1 : failed };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The closing line of every test command. */
export function closingLine({ passed, failed }: Counts): string {
  return `${passed} passed, ${failed} failed\n`;
}
