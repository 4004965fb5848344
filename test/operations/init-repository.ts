import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { initCommand } from '../../runner/commands/init.ts';
import { publishCommand } from '../../runner/commands/publish.ts';
import { binaryPath } from '../../scripts/binaries.mjs';
import { systemClock } from '../../src/systems/clock-system.ts';
import { runCommand } from '../doubles/run-command.ts';

export const git = promisify(execFile);
/** PATH with oras and kustomize. */
export const toolPath = [...['oras', 'kustomize'].map((tool) => dirname(binaryPath(tool))), process.env['PATH']].join(
  delimiter,
);
const place = [
  '--delivery',
  'shop/delivery',
  '--gitlab',
  'https://gitlab.example.com',
  '--registry',
  'registry.example.com/shop/delivery',
];
/** A delivery repository on disk. */
export interface InitRepository {
  readonly at: string;
  init(...args: readonly string[]): Promise<Awaited<ReturnType<typeof runCommand>>>;
  read(file: string): Promise<string>;
  /** Outcomes of publish --dry-run by `<environment>/<artifact>`, of what is in the folder now. */
  publish(): Promise<Readonly<Record<string, string>>>;
}

let count = 0;
/** Writes the files to a new folder below `folder`, with an empty git repository. */
export async function initRepository(folder: string, files: Readonly<Record<string, string>>): Promise<InitRepository> {
  const at = join(folder, `repository-${(count += 1)}`);
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(at, file)), { recursive: true });
    await writeFile(join(at, file), text);
  }
  await mkdir(at, { recursive: true });
  const run = (...args: readonly string[]) => git('git', [...args], { cwd: at });
  await run('init', '--quiet', '--initial-branch', 'main');
  const options = { env: { PATH: toolPath }, folder: at, clock: systemClock() };
  return {
    at,
    init: (...args) => runCommand(initCommand, [...place, ...args], options),
    read: (file) => readFile(join(at, file), 'utf8'),
    async publish() {
      await run('add', '--all');
      await run('-c', 'user.name=t', '-c', 'user.email=t@example.com', 'commit', '--quiet', '-m', 'Set up');
      const args = [
        '--branch',
        'main',
        '--delivery',
        'shop/delivery',
        '--dry-run',
        '--oci-layout',
        join(at, '..', 'layouts'),
      ];
      const ran = await runCommand(publishCommand, args, options);
      expect(ran.exit).toBe(0);
      const artifacts = ran.record['artifacts'] as { environment: string; artifact: string; outcome: string }[];
      return Object.fromEntries(artifacts.map((one) => [`${one.environment}/${one.artifact}`, one.outcome]));
    },
  };
}

/** A file of init's record. */
export interface Filed {
  readonly path: string;
  readonly state: string;
  readonly text?: string;
  readonly diff?: string;
}
/** The files of init's record. */
export const filesOf = (ran: { readonly record: Readonly<Record<string, unknown>> }) =>
  ran.record['files'] as readonly Filed[];
