import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

/** What a test run came to; `failures` has a line for each failure that has a name: which test, and its first words. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly failures: readonly string[];
}

interface Assertion {
  readonly status: string;
  readonly fullName: string;
  readonly failureMessages: readonly string[];
}

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly Assertion[];
  }[];
}

const firstWords = (text: string): string => text.split('\n', 3).join(' ').slice(0, 400);

/** A line for each test that did not pass, and for each file that does not load. */
function failuresOf(report: Report): readonly string[] {
  return report.testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = relative(process.cwd(), name);
    if (status === 'failed' && assertionResults.length === 0) return [`${file}: ${firstWords(message)}`];
    return assertionResults
      .filter((test) => test.status !== 'passed')
      .map((test) => `${file} > ${test.fullName}: ${firstWords(test.failureMessages[0] ?? test.status)}`);
  });
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
    const failures = failuresOf(report);
    if (failed === 0 && code !== 0) {
      return { passed: report.numPassedTests, failed: 1, failures: [...failures, `vitest ended with ${code}`] };
    }
    return { passed: report.numPassedTests, failed, failures };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The end of every test command: what failed, a line each, and the closing line. */
export function closingLines(counts: Counts): string {
  const failures = counts.failures.map((failure) => `FAILED  ${failure}\n`).join('');
  return `${failures}${counts.passed} passed, ${counts.failed} failed\n`;
}

/** Several runs as one. */
export function sumOf(...runs: readonly Counts[]): Counts {
  return {
    passed: runs.reduce((sum, run) => sum + run.passed, 0),
    failed: runs.reduce((sum, run) => sum + run.failed, 0),
    failures: runs.flatMap((run) => run.failures),
  };
}
