import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { commands } from '../../runner/cli.ts';
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
