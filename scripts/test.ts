import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundle } from './build.ts';

/** All checks and tests; the last line is `N passed, N failed`. Arguments go to vitest. */

interface Check {
  readonly name: string;
  readonly command: readonly string[];
}

const checks: readonly Check[] = [
  { name: 'types', command: ['tsc', '-p', '.'] },
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
  { name: 'format', command: ['oxfmt', '--check', '.'] },
  { name: 'dead code', command: ['knip', '--no-progress'] },
];

function run(command: readonly string[], quiet: boolean): Promise<{ code: number; text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0]!, command.slice(1), {
      stdio: ['ignore', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit'],
    });
    let text = '';
    child.stdout?.on('data', (data) => (text += String(data)));
    child.stderr?.on('data', (data) => (text += String(data)));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, text }));
  });
}

const args = process.argv.slice(2);
const say = (text: string) => process.stdout.write(`${text}\n`);
let passed = 0;
let failed = 0;
let skipped = 0;

await bundle();
if (args.length === 0) {
  for (const { name, command } of checks) {
    const started = Date.now();
    const { code, text } = await run(command, true);
    say(`${code === 0 ? 'passed' : 'FAILED'}  ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
    if (code === 0) passed += 1;
    else {
      failed += 1;
      say(text);
    }
  }
}
const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
const report = join(folder, 'vitest.json');
try {
  const { code } = await run(
    ['vitest', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...args],
    false,
  );
  const counts = JSON.parse(await readFile(report, 'utf8')) as Record<string, number> & {
    testResults: { status: string; assertionResults: unknown[]; message: string }[];
  };
  passed += counts['numPassedTests'] ?? 0;
  skipped += (counts['numPendingTests'] ?? 0) + (counts['numTodoTests'] ?? 0);
  const broken = counts.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  ).length;
  failed += (counts['numFailedTests'] ?? 0) + broken;
  if (code !== 0 && failed === 0) failed += 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
if (skipped > 0) {
  say(`${skipped} tests were skipped: a skipped test counts as failed`);
  failed += skipped;
}
say(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
