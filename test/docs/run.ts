import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { binaryPath, onPath } from '../../scripts/binaries.mjs';
import { type Block, type Page, root } from './blocks.ts';

const run = promisify(execFile);

/** Is the block a file of the reader’s repository, named by its path? */
export function isFile(block: Block): boolean {
  return /^(\.?[\w-]+\/)*\.?[\w-]+\.ya?ml$/.test(block.kind) && !block.kind.startsWith('.gitlab');
}

/**
 * Plays a page: its files are laid over a copy of examples/delivery under git, its `run` blocks run there with `sluice`
 * on the PATH, and an `output` block after one must be what that printed (stdout). Answers what is not so.
 */
export async function playPage(page: Page): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  try {
    const env = await prepare(folder);
    const cwd = join(folder, 'delivery');
    const faults: string[] = [];
    let printed: string | undefined;
    for (const block of page.blocks) {
      if (isFile(block) && block.kind !== 'sluice.yaml') {
        await mkdir(dirname(join(cwd, block.kind)), { recursive: true });
        await writeFile(join(cwd, block.kind), block.text);
        await commit(cwd, env);
      } else if (block.kind === 'run') {
        const { stdout } = await run('bash', ['--norc', '-euo', 'pipefail', '-c', block.text], { cwd, env }).catch(
          (error: Error & { stdout: string; stderr: string }) => {
            faults.push(`${block.where}: ${error.message}\n${error.stderr}`);
            return error;
          },
        );
        printed = stdout;
      } else if (block.kind === 'output' && plain(printed) !== plain(block.text)) {
        faults.push(`${block.where}: this is not what was printed:\n${printed}`);
      }
    }
    return faults;
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Digests and commits depend on more than the page shows. */
function plain(text: string | undefined): string | undefined {
  return text?.trimEnd().replaceAll(/\b[0-9a-f]{12,64}\b/g, '0123456789ab');
}

async function prepare(folder: string): Promise<Record<string, string>> {
  const bin = join(folder, 'bin');
  await mkdir(bin);
  const node = join(root, 'node_modules', '.bin', 'node');
  await writeFile(join(bin, 'sluice'), `#!/bin/sh\nexec '${node}' '${join(root, 'runner', 'main.ts')}' "$@"\n`);
  await chmod(join(bin, 'sluice'), 0o755);
  const identity = { name: 'A person', email: 'person@example.com', date: '2026-01-05T09:00:00Z' };
  const env = {
    PATH: [bin, dirname(node), onPath('kustomize') ?? dirname(binaryPath('kustomize')), process.env['PATH']].join(
      delimiter,
    ),
    HOME: folder,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: identity.name,
    GIT_AUTHOR_EMAIL: identity.email,
    GIT_AUTHOR_DATE: identity.date,
    GIT_COMMITTER_NAME: identity.name,
    GIT_COMMITTER_EMAIL: identity.email,
    GIT_COMMITTER_DATE: identity.date,
  };
  const cwd = join(folder, 'delivery');
  await cp(join(root, 'examples', 'delivery'), cwd, { recursive: true });
  await run('git', ['init', '-q', '-b', 'main'], { cwd, env });
  await commit(cwd, env);
  return env;
}

async function commit(cwd: string, env: Record<string, string>): Promise<void> {
  await run('git', ['add', '.'], { cwd, env });
  await run('git', ['commit', '-q', '--allow-empty', '-m', 'Describe staging and production'], { cwd, env });
}
