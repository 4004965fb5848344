import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { commands } from '../../runner/cli.ts';
import { writeReports } from '../../runner/output/report-files.ts';
import { globalFlags, variableOf } from '../../runner/settings/flags.ts';

const runner = join(import.meta.dirname, '..', '..', 'runner');

// A dotenv report becomes variables of later jobs: https://docs.gitlab.com/ci/variables/job_scripts/
test('no key of sluice.env is the variable of a flag: a later job would take it for one', async () => {
  const files = (await readdir(runner, { recursive: true })).filter((file) => file.endsWith('.ts'));
  const texts = await Promise.all(files.map((file) => readFile(join(runner, file), 'utf8')));
  const keys = texts.flatMap((text) => [...text.matchAll(/\b(SLUICE_[A-Z_]+)['"]?:/g)].map((match) => match[1]!));
  expect(keys).toEqual(expect.arrayContaining(['SLUICE_OUTCOME', 'SLUICE_EXIT', 'SLUICE_DELIVERY_COMMIT']));
  const flags = [...globalFlags, ...commands.flatMap((command) => command.flags)].map(({ name }) => variableOf(name));
  expect(keys.filter((key) => flags.includes(key))).toEqual([]);
});

// https://docs.gitlab.com/administration/instance_limits/#limit-dotenv-variables: a larger report fails the job.
test('a report of hundreds of artifacts stays below GitLab’s limits, and the outcome is in it', async () => {
  const written = new Map<string, string>();
  const dotenv = Object.fromEntries(
    Array.from({ length: 300 }, (_, number) => [`SLUICE_DIGEST_${number}`, 'x'.repeat(number * 10)]),
  );
  const record = { text: '', record: { outcome: 'done' }, exit: 0 as const, dotenv };
  await writeReports(
    { write: async (path: string, text: string) => void written.set(path, text) } as never,
    'reports',
    { command: 'publish', document: { outcome: 'done' }, result: record, seconds: 1, exit: 0, redact: (text) => text },
  );
  const text = written.get('reports/sluice.env')!;
  expect(text).toMatch(/^SLUICE_OUTCOME=done\nSLUICE_EXIT=0\nSLUICE_DIGEST_0=\n/);
  expect(text.split('\n').length - 1).toBeLessThanOrEqual(20);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(5000);
});
