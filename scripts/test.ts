import { bundle } from './build.ts';
import { type Counts, closingLines, runCommand, runVitest, sumOf } from './vitest.ts';

/** All checks and tests; the last line is `N passed, N failed`. With arguments only vitest runs, and gets them. */

const checks = [
  { name: 'types', command: ['tsc', '-p', '.'] },
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
  { name: 'format', command: ['oxfmt', '--check', '.'] },
  { name: 'dead code', command: ['knip', '--no-progress'] },
];

const args = process.argv.slice(2);
const runs: Counts[] = [];
await bundle();
for (const { name, command } of args.length === 0 ? checks : []) {
  const started = performance.now();
  const { code, text } = await runCommand(command, true);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(code === 0 ? `passed  ${name} (${seconds} s)\n` : `failed  ${name} (${seconds} s)\n${text}\n`);
  runs.push(
    code === 0
      ? { passed: 1, failed: 0, failures: [] }
      : { passed: 0, failed: 1, failures: [`${name}: ${command.join(' ')}`] },
  );
}
runs.push(await runVitest(['--project', 'unit', '--project', 'story', ...args]));
const counts = sumOf(...runs);
process.stdout.write(closingLines(counts));
process.exitCode = counts.failed === 0 ? 0 : 1;
