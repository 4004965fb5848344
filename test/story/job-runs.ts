import { mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { results } from '../../runner/output/results.ts';
import { binaryPath, onPath } from '../../scripts/binaries.mjs';
import { startCli, type Ended, type Running, type Surroundings } from './cli.ts';
import { leaksBelow, leaksIn } from './leaks.ts';

/** What a run may be given beside its arguments. */
export interface RunOptions {
  /** Variables that differ from the job's; '' removes one. */
  readonly env?: Readonly<Record<string, string>>;
  /** Programs that are not on the PATH. */
  readonly without?: readonly string[];
}

/** A run with what it left. */
export interface Ran extends Ended {
  /** The one JSON document of stdout, valid by the command's schema. */
  readonly document: Readonly<Record<string, unknown>> & { readonly fault?: Readonly<Record<string, string>> };
  /** Files of --report-dir by name. */
  readonly reports: Readonly<Record<string, string>>;
}

/** A run that is under way. */
export interface RunningJob extends Pick<Running, 'said' | 'kill' | 'closeStdout'> {
  readonly ended: Promise<Ran>;
  /** Path of the run's result.json. */
  readonly result: string;
}

/** The runs of a world, and what they left. */
export interface Runs {
  readonly start: (args: readonly string[], options?: RunOptions) => RunningJob;
  /** Where secrets or files were left, over all runs so far. */
  leaks(secrets: readonly string[]): Promise<readonly string[]>;
  /** Every key that was written to a dotenv report. */
  readonly dotenvKeys: ReadonlySet<string>;
}

/** Runs below a folder: each has its own home, temporary folder and reports. `job` gives the surroundings of a run. */
export function jobRuns(folder: string, job: () => Surroundings): Runs {
  const outputs: { place: string; text: string }[] = [];
  const dotenvKeys = new Set<string>();
  let count = 0;

  function start(args: readonly string[], options: RunOptions = {}): RunningJob {
    const number = (count += 1);
    const own = join(folder, String(number));
    const reportsAt = join(own, 'reports');
    const ready = prepare();
    let running: Running | undefined;
    const begun = ready.then((surroundings) => {
      running = startCli(
        [...args.slice(0, 1), '--format', 'json', '--report-dir', reportsAt, ...args.slice(1)],
        surroundings,
      );
      return running;
    });
    async function prepare() {
      await mkdir(join(own, 'tmp'), { recursive: true });
      await mkdir(join(own, 'home'), { recursive: true });
      const { env: given, cwd } = job();
      const path = options.without ? await pathWithout(options.without, join(own, 'bin')) : given['PATH']!;
      const all = { ...given, TMPDIR: join(own, 'tmp'), HOME: join(own, 'home'), PATH: path, ...options.env };
      const env = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''));
      return { env, cwd };
    }
    async function end(): Promise<Ran> {
      const ended = await (await begun).ended;
      const place = `${number} (${args.join(' ')})`;
      outputs.push({ place: `stdout of ${place}`, text: ended.stdout });
      outputs.push({ place: `stderr of ${place}`, text: ended.stderr });
      const names = await readdir(reportsAt).catch(() => []);
      const reports = Object.fromEntries(
        await Promise.all(names.map(async (name) => [name, await readFile(join(reportsAt, name), 'utf8')] as const)),
      );
      for (const line of (reports['sluice.env'] ?? '').split('\n')) {
        const key = line.split('=')[0]!;
        if (key !== '') dotenvKeys.add(key);
      }
      return {
        ...ended,
        reports,
        get document() {
          const parsed: unknown = JSON.parse(ended.stdout);
          return results[args[0]!]!.parse(parsed) as Ran['document'];
        },
      };
    }
    return {
      result: join(reportsAt, 'result.json'),
      ended: end(),
      said: async (text) => (await begun).said(text),
      kill: (signal) => running?.kill(signal),
      closeStdout: () => running?.closeStdout(),
    };
  }

  return {
    start,
    dotenvKeys,
    async leaks(secrets) {
      const left = await readdir(folder, { recursive: true, withFileTypes: true });
      return [
        ...outputs.flatMap(({ place, text }) => leaksIn(place, text, secrets)),
        ...(await leaksBelow(folder, secrets, () => false)),
        ...left
          .filter((entry) => /\/(tmp|home)$/.test(entry.parentPath))
          .map((entry) => `left: ${join(entry.parentPath, entry.name).slice(folder.length)}`),
      ];
    },
  };
}

/** A PATH with everything of the stories' PATH but some programs. */
async function pathWithout(names: readonly string[], bin: string): Promise<string> {
  await mkdir(bin, { recursive: true });
  for (const name of ['git', 'oras', 'kustomize', 'sh', 'env'].filter((each) => !names.includes(each))) {
    const found = ['oras', 'kustomize'].includes(name) ? dirname(binaryPath(name)) : onPath(name);
    await symlink(join(found ?? '', name), join(bin, name)).catch(() => {});
  }
  return bin;
}
