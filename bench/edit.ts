import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseDocument } from 'yaml';
import { binaryPath } from '../scripts/binaries.mjs';
import { exactShare, writeCorpus, writeManifests } from './edit-corpus.ts';
import { type BenchOptions, cli, median, node, type Row, runCommand, timeCommand } from './measure.ts';

/** Files of the corpus on which the peers are compared. */
const CORPUS = 200;
const TAG = '1.1.0';
const EXPRESSION = `(.images[] | select(.name == "web") | .newTag) = "${TAG}"`;
/** Has node tell its greatest memory at its end (KiB). */
const PEAK = `data:text/javascript,process.on('exit',()=>process.stderr.write('peak '+process.resourceUsage().maxRSS+'\\n'))`;

/** Discovery in many files, and editing beside other tools: files a second, and the share of byte-exact results. */
export async function benchEdit({ files, rounds }: BenchOptions): Promise<readonly Row[]> {
  const root = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  try {
    return [...(await discovery(join(root, 'many'), files, rounds)), ...(await comparison(join(root, 'corpus')))];
  } finally {
    await rm(root, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function discovery(folder: string, files: number, rounds: number): Promise<readonly Row[]> {
  await writeManifests(folder, files);
  const image = 'registry.example.com/shop/web';
  const found = await measured(folder, ['--image', `${image}=:2.0.0`], rounds, image);
  const all = await measured(folder, ['--set', 'spec.replicas=3'], rounds, 'replicas');
  return [
    {
      name: `discovery over ${files} YAML files, beside grep`,
      value: found.seconds,
      floor: found.floor,
      unit: 's',
      goal: '≤ 2 s',
    },
    { name: '  memory', value: found.peak, floor: null, unit: 'MiB', goal: '≤ 250' },
    { name: '  a value that all of them hold', value: all.seconds, floor: all.floor, unit: 's', goal: 'shown' },
    { name: '  memory', value: all.peak, floor: null, unit: 'MiB', goal: '≤ 250' },
  ];
}

/** Medians of dry runs: seconds and greatest memory (MiB), and seconds of `grep` for the text. */
async function measured(
  folder: string,
  flags: readonly string[],
  rounds: number,
  text: string,
): Promise<{ readonly seconds: number; readonly peak: number; readonly floor: number }> {
  const seconds: number[] = [];
  const peaks: number[] = [];
  const floors: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const ended = await runCommand(node, ['--import', PEAK, cli, 'edit', folder, ...flags, '--dry-run']);
    seconds.push(ended.seconds);
    peaks.push(Number(/peak (\d+)/.exec(ended.stderr)?.[1]) / 1024);
    floors.push(await timeCommand('grep', ['-rlF', '--', text, folder]));
  }
  return { seconds: median(seconds), peak: median(peaks), floor: median(floors) };
}

/** How a tool edits the corpus: all of it in one call, or file by file. */
interface Peer {
  readonly name: string;
  all?(root: string): Promise<unknown>;
  each?(path: string): Promise<unknown>;
}

const peers: readonly Peer[] = [
  { name: 'sluice edit, one call', all: (root) => runCommand(node, [cli, 'edit', root, '--image', `web=:${TAG}`]) },
  { name: 'npm yaml, setIn + toString, in process', each: byYaml },
  {
    name: 'sluice edit, a call for each',
    each: (path) => runCommand(node, [cli, 'edit', path, '--image', `web=:${TAG}`]),
  },
  { name: 'yq -i, a call for each', each: (path) => runCommand(binaryPath('yq'), ['-i', EXPRESSION, path]) },
  {
    name: 'kustomize edit set image, a call for each',
    each: (path) =>
      runCommand(binaryPath('kustomize'), ['edit', 'set', 'image', `web=*:${TAG}`], { cwd: dirname(path) }),
  },
];

async function comparison(root: string): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const [index, peer] of peers.entries()) {
    const at = join(root, String(index));
    const paths = await writeCorpus(at, CORPUS);
    let failed = 0;
    const started = performance.now();
    await peer.all?.(at);
    if (peer.each) for (const path of paths) await peer.each(path).catch(() => (failed += 1));
    const seconds = (performance.now() - started) / 1000;
    const share = await exactShare(paths, TAG);
    rows.push({
      name: peer.name,
      value: paths.length / seconds,
      floor: null,
      unit: 'files/s',
      goal: 'shown',
      note: `byte-exact ${Math.round(share * 100)} %${failed === 0 ? '' : `, failed ${failed} of ${paths.length}`}`,
    });
  }
  return rows;
}

async function byYaml(path: string): Promise<void> {
  const document = parseDocument(await readFile(path, 'utf8'));
  const { images } = document.toJS() as { readonly images: readonly { readonly name: string }[] };
  document.setIn(['images', images.findIndex((image) => image.name === 'web'), 'newTag'], TAG);
  await writeFile(path, document.toString());
}
