import { rmSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { binaryPath, buildEstimate, cacheDirectory, ensureBinaries, isBuilt, requireGo } from './binaries.mjs';
import { coreTools } from '../test/lab/parts.ts';
import { wrongVersion } from './binary-version.ts';
import { bundle } from './build.ts';
import { closingLines, runVitest } from './vitest.ts';

const usage = `Runs the stories on the real API server, etcd, Flux controllers and registry, as processes on this machine.
Builds what is missing into a per-user cache: about 25 minutes on two cores and 15 GB the first time, nothing later.

  npm run lab                        all tiers
  npm run lab -- --tier core         one tier: core, notification (Receivers, gitlab Provider), helm (HelmReleases)
                                     or signing (cosign)
  npm run lab -- --only healthy      the story files whose path holds this word
  npm run lab -- --budget 40         what cannot be built and run in 40 minutes is left out and listed
`;

/** The tiers in the order of building: the folders of test/lab, what each needs, and minutes that its stories take. */
const tiers = [
  {
    name: 'core',
    minutes: 7,
    tools: [...coreTools, 'flux-oracle'],
  },
  { name: 'clients', minutes: 1, tools: [] },
  { name: 'notification', minutes: 2, tools: ['notification-controller'] },
  { name: 'helm', minutes: 4, tools: ['helm-controller'] },
  { name: 'signing', minutes: 1, tools: ['cosign'] },
] as const;

const say = (line: string) => void process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      tier: { type: 'string' },
      only: { type: 'string' },
      budget: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  if (values.tier && !tiers.some(({ name }) => name === values.tier))
    throw new Error(`unknown tier ${values.tier}; known: ${tiers.map(({ name }) => name).join(', ')}`);
  const budget = values.budget === undefined ? Infinity : Number(values.budget);
  if (Number.isNaN(budget)) throw new Error(`--budget wants minutes, not "${values.budget}"`);
  requireGo('The lab builds its programs and reads Flux’s custom resources with it.');
  const wanted = tiers.filter(({ name }) => values.tier === undefined || name === 'core' || name === values.tier);
  const left = await build(wanted, Date.now() + budget * 60_000);
  const run = wanted
    .map(({ name }) => name)
    .filter((name) => !left.includes(name) && (values.tier === undefined || values.tier === name));
  if (left.includes('core') || run.length === 0) {
    process.stdout.write(`not built in time, so that no story was run: ${left.join(', ')}\n`);
    process.stdout.write(closingLines({ passed: 0, failed: 1, failures: [] }));
    return 1;
  }
  await bundle();
  const filters = values.only ? [values.only] : run.map((name) => `${name}/`);
  const exclude = values.only ? left.flatMap((name) => ['--exclude', `${name}/**`]) : [];
  const counts = await runVitest([
    '--config',
    join(import.meta.dirname, '..', 'test', 'lab', 'vitest.config.ts'),
    ...exclude,
    ...filters,
  ]);
  if (left.length > 0) process.stdout.write(`not built in time and not run: ${left.join(', ')}\n`);
  process.stdout.write(closingLines(counts));
  return counts.failed === 0 && counts.passed > 0 ? 0 : 1;
}

/** Builds the tiers one after the other until the time that their stories leave is over; gives those not built. */
async function build(wanted: (typeof tiers)[number][], until: number): Promise<readonly string[]> {
  const left: string[] = [];
  let stories = 0;
  for (const tier of wanted) {
    stories += tier.minutes * 60_000;
    removeOthers(tier.tools);
    const missing = tier.tools.filter((tool) => !isBuilt(tool));
    const time = until - stories - Date.now();
    if (time <= 0 || (missing.length > 0 && left.length > 0)) {
      left.push(tier.name);
      stories -= tier.minutes * 60_000;
      continue;
    }
    checkDisk(missing);
    const signal = Number.isFinite(time) ? AbortSignal.timeout(time) : undefined;
    try {
      await ensureBinaries(tier.tools, { log: say, ...(signal ? { signal } : {}) });
    } catch (error) {
      if (!signal?.aborted) throw error;
      left.push(tier.name);
      stories -= tier.minutes * 60_000;
    }
  }
  return left;
}

/** Removes tools from the cache that are not what their wrapper modules say, so that they are built anew. */
function removeOthers(tools: readonly string[]): void {
  for (const tool of tools.filter((name) => isBuilt(name))) {
    const wrong = wrongVersion(tool);
    if (wrong === null) continue;
    say(`${tool} in ${dirname(binaryPath(tool))}: ${wrong}. It is removed and built anew.`);
    rmSync(dirname(binaryPath(tool)), { recursive: true, force: true });
  }
}

/** Fails when the disk has no room for building: half of the estimate is wanted, since caches may be warm. */
function checkDisk(missing: readonly string[]): void {
  if (missing.length === 0) return;
  const { gibibytes } = buildEstimate(missing);
  let folder = cacheDirectory();
  for (;;) {
    try {
      const { bavail, bsize } = statfsSync(folder);
      const free = (bavail * bsize) / 2 ** 30;
      if (free < gibibytes / 2)
        throw new Error(
          `${free.toFixed(1)} GiB are free below ${folder}, building ${missing.join(', ')} wants about ${gibibytes}: free some space and run again.`,
        );
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      folder = join(folder, '..');
    }
  }
}

process.exitCode = await main().catch((error: unknown) => {
  say(`error: ${error instanceof Error ? error.message : String(error)}`);
  return 2;
});
