import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseDocument } from 'yaml';
import { onPath } from '../scripts/binaries.mjs';
import { exactShare, writeCorpus, writeManifests } from './edit-corpus.ts';
import { type BenchOptions, cli, median, node, type Row, runCommand, timeCommand } from './measure.ts';

/** Files of the corpus on which the peers are compared. */
const CORPUS = 200;
const TAG = '1.1.0';
/** Has node tell its greatest memory at its end (KiB). */
const PEAK = `data:text/javascript,process.on('exit',()=>process.stderr.write('peak '+process.resourceUsage().maxRSS+'\\n'))`;

/** Discovery in many files, and editing beside other tools: files a second, and the share of byte-exact results. */
export async function benchEdit({ files, rounds }: BenchOptions): Promise<readonly Row[]> {
  const root = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  try {
    return [...(await discovery(join(root, 'many'), files, rounds)), ...(await peers(join(root, 'corpus')))];
  } finally {
    await rm(root, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function discovery(folder: string, files: number, rounds: number): Promise<readonly Row[]> {
  await writeManifests(folder, files);
  const args = ['edit', folder, '--image', 'registry.example.com/shop/web=:2.0.0', '--dry-run'];
  const seconds: number[] = [];
  const peaks: number[] = [];
  const floors: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const ended = await runCommand(node, ['--import', PEAK, cli, ...args]);
    seconds.push(ended.seconds);
    peaks.push(Number(/peak (\d+)/.exec(ended.stderr)?.[1]) / 1024);
    floors.push(await timeCommand('grep', ['-rlF', '--', 'registry.example.com/shop/web', folder]));
  }
  return [
    {
      name: `discovery over ${files} YAML files, beside grep`,
      value: median(seconds),
      floor: median(floors),
      unit: 's',
      goal: '≤ 2 s',
    },
    { name: '  memory', value: median(peaks), floor: null, unit: 'MiB', goal: '≤ 250' },
  ];
}

/** How a tool edits all files of the corpus. */
interface Peer {
  readonly name: string;
  edit(paths: readonly string[], root: string): Promise<unknown>;
}

async function peers(root: string): Promise<readonly Row[]> {
  const list: Peer[] = [
    { name: 'sluice edit, one call', edit: (_, at) => runCommand(node, [cli, 'edit', at, '--image', `web=:${TAG}`]) },
    { name: 'npm yaml, setIn + toString, in process', edit: byYaml },
    {
      name: 'kustomize edit set image, a call for each',
      async edit(paths) {
        for (const path of paths) {
          const cwd = dirname(path);
          await runCommand('kustomize', ['edit', 'set', 'image', `web=*:${TAG}`], { cwd, env: process.env });
        }
      },
    },
  ];
  const yq = onPath('yq');
  const version = yq === undefined ? '' : (await runCommand('yq', ['--version'])).stdout;
  const found = version.includes('mikefarah');
  if (found) {
    list.push({
      name: 'yq -i, one call for each',
      async edit(paths) {
        const expression = `(.images[] | select(.name == "web") | .newTag) = "${TAG}"`;
        for (const path of paths) await runCommand('yq', ['-i', expression, path]);
      },
    });
  }
  const rows: Row[] = [];
  for (const peer of list) {
    const at = join(root, String(rows.length));
    const paths = await writeCorpus(at, CORPUS);
    const started = performance.now();
    const failed = await peer.edit(paths, at).then(
      () => '',
      (error: unknown) => `failed: ${String(error).slice(0, 200)}`,
    );
    const seconds = (performance.now() - started) / 1000;
    const share = await exactShare(paths, TAG);
    rows.push({
      name: peer.name,
      value: CORPUS / seconds,
      floor: null,
      unit: 'files/s',
      goal: 'shown',
      note: `byte-exact ${Math.round(share * 100)} %${failed === '' ? '' : `, ${failed}`}`,
    });
  }
  if (!found) rows.push(missingYq());
  return rows;
}

function missingYq(): Row {
  return {
    name: 'yq -i',
    value: 0,
    floor: null,
    unit: 'files/s',
    goal: 'shown',
    note: 'not measured: github.com/mikefarah/yq/v4 is not on the PATH',
  };
}

async function byYaml(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const document = parseDocument(await readFile(path, 'utf8'));
    const images = document.toJS() as { readonly images: readonly { readonly name: string }[] };
    document.setIn(['images', images.images.findIndex((image) => image.name === 'web'), 'newTag'], TAG);
    await writeFile(path, document.toString());
  }
}
