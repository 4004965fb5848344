import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { demoTable, tellDemo } from '../sandbox/demo.ts';
import { simulatedParts } from '../sandbox/parts.ts';
import { exampleClusters, seedExamples } from '../sandbox/seed.ts';
import { buildWorld } from '../sandbox/world.ts';
import { onPath } from './binaries.mjs';
import { bundle } from './build.ts';

const root = join(import.meta.dirname, '..');
const usage = `Plays the whole loop on this machine: a simulated GitLab, an embedded registry, a simulated cluster with Flux's
behaviour; real git, ORAS, kustomize, GitLab CI templates and the packaged CLI.

  npm run demo                                  the story
  npm run demo -- --keep                        leaves it running, with a page to look at
  npm run --silent demo -- --format json        one JSON document on stdout
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      keep: { type: 'boolean', default: false },
      format: { type: 'string', default: 'text' },
      verbose: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const began = Date.now();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-demo-'));
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => stop.abort(new Error(`stopped by ${signal}`)));
  const ended = new Promise<never>((_, reject) =>
    stop.signal.addEventListener('abort', () => reject(stop.signal.reason)),
  );
  try {
    say('building the CLI …');
    await bundle();
    const env = { PATH: process.env['PATH'] ?? '', HOME: folder, LANG: 'C.UTF-8' };
    const kustomize = join(onPath('kustomize', process.env) ?? '', 'kustomize');
    say('starting GitLab, registry and clusters on loopback, and seeding three projects …');
    const log = values.verbose ? say : undefined;
    const parts = simulatedParts({ folder, env, kustomize, ...(log ? { log } : {}) });
    await using world = Object.assign(
      await buildWorld({ folder, root, env, parts, clusters: Object.keys(exampleClusters), ...(log ? { log } : {}) }),
      {
        async [Symbol.asyncDispose]() {
          await world.stop();
        },
      },
    );
    await seedExamples(world);
    say(`GitLab's page: ${world.gitlab.url}`);
    const record = await Promise.race([tellDemo(world, (Date.now() - began) / 1000, say), ended]);
    if (values.format === 'json') process.stdout.write(`${JSON.stringify(record, null, 2)}\n`);
    else
      process.stdout.write(
        `\n${demoTable(record)}\n\n${record.outcome === 'done' ? 'everything is as told' : 'NOT everything is as told'}; ${record.durations.total.toFixed(0)} s\n`,
      );
    if (values.keep) {
      say(`\nleft running: ${world.gitlab.url} (Ctrl-C ends it)`);
      await ended.catch(() => {});
    }
    return record.outcome === 'done' ? 0 : 1;
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
});
