import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { binaryPath, isBuilt } from '../scripts/binaries.mjs';
import { gitFolder, type GitFolder } from '../test/doubles/git-folder.ts';
import { median, node, paired, timeCommand, type Row } from './measure.ts';

const ROUNDS = 5;

/** Archives 2,000 files of 20 MB beside GNU `tar | gzip -6` and Flux's own builder; then the memory for 500 MB. */
export async function benchArtifact(): Promise<readonly Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  try {
    await using git = await gitFolder();
    const tree = join(folder, 'tree');
    const script = await bundled(folder);
    await writeTree(tree, 2000, 10_000);
    const sha = await commitTree(git, tree);
    const ours = () => archiveInside(script, `${git.path}/delivery.git`, sha, join(folder, 'layout'));
    const tar = `tar --sort=name --mtime=@0 --owner=0 --group=0 -cf - . | gzip -6 > ${join(folder, 'floor.tgz')}`;
    const gnu = () => timeCommand('sh', ['-c', tar], { cwd: tree });
    const seconds = await paired(ROUNDS, async () => (await ours()).seconds, gnu);
    const rows: Row[] = [
      { name: '2,000 files, 20 MB, from git, beside tar | gzip -6', ...seconds, unit: 's', goal: '≤ 1.5' },
    ];
    if (isBuilt('flux-oracle')) {
      const builds: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        builds.push(await timeCommand(binaryPath('flux-oracle'), ['build', tree, join(folder, 'flux.tgz')]));
      }
      rows.push({
        ...seconds,
        name: 'the same beside Flux’s own builder',
        floor: median(builds),
        unit: 's',
        goal: 'shown',
      });
    }
    await rm(tree, { recursive: true });
    await writeTree(tree, 500, 1_000_000);
    const large = await archiveInside(
      script,
      `${git.path}/delivery.git`,
      await commitTree(git, tree),
      join(folder, 'large'),
    );
    rows.push({
      name: '500 MB: peak memory, beside the limit',
      value: large.memory,
      floor: 150,
      unit: 'MB',
      goal: '≤ 1',
    });
    return rows;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Half of each file is text that repeats, half is noise: it compresses as manifests with data do. */
async function writeTree(folder: string, files: number, bytes: number): Promise<void> {
  const text = Buffer.from('apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: example\n'.repeat(bytes / 58));
  for (let index = 0; index < files; index += 1) {
    const path = join(folder, `apps/app-${index % 40}/deep/file-${index}.yaml`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(
      path,
      Buffer.concat([text.subarray(0, bytes / 2), Buffer.from(randomBytes(bytes / 4).toString('hex'))]),
    );
  }
}

/** The script as the packaged CLI is: one bundle, so that its memory is not that of a TypeScript loader. */
async function bundled(folder: string): Promise<string> {
  const outfile = join(folder, 'archive-process.mjs');
  const banner = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
  await build({
    entryPoints: [join(import.meta.dirname, 'archive-process.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    banner: { js: banner },
    logLevel: 'error',
    outfile,
  });
  return outfile;
}

/** Commits a folder in a bare repository, packed as a clone is; gives the commit. */
async function commitTree(git: GitFolder, tree: string): Promise<string> {
  const folder = await git.bare('delivery.git');
  const at = ['--git-dir', folder, '--work-tree', tree];
  await git.git('.', [...at, 'add', '--all']);
  await git.git('.', [...at, 'commit', '--quiet', '--message', 'tree']);
  await git.git('delivery.git', ['repack', '-a', '-d', '--quiet']);
  return git.git('delivery.git', ['rev-parse', 'main']);
}

/** Archives a commit in a process of its own. */
async function archiveInside(
  script: string,
  repository: string,
  sha: string,
  layout: string,
): Promise<{ seconds: number; memory: number }> {
  const { stdout } = await promisify(execFile)(node, [script, repository, sha, layout]);
  return JSON.parse(stdout) as { seconds: number; memory: number };
}
