import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cli, node, paired, timeCommand, type Row } from './measure.ts';

/** How long the CLI takes to start, beside an empty node; and what it weighs. */
export async function benchStart(): Promise<readonly Row[]> {
  const help = await paired(
    15,
    () => timeCommand(node, [cli, '--help']),
    () => timeCommand(node, ['-e', '0']),
  );
  const files = await readdir(dirname(cli), { recursive: true, withFileTypes: true });
  const sizes = await Promise.all(
    files
      .filter((entry) => entry.isFile() && entry.name.endsWith('.js'))
      .map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size),
  );
  const entry = (await stat(cli)).size;
  return [
    { name: 'sluice --help beside node -e 0', ...help, unit: 's', goal: '≤ 1.5' },
    {
      name: 'bundle, all chunks, beside the entry alone',
      value: sizes.reduce((sum, size) => sum + size, 0) / 1e6,
      floor: entry / 1e6,
      unit: 'MB',
      goal: 'shown',
    },
  ];
}
