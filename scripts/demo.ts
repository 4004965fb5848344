import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { demoTable, ownText, tellDemo } from '../sandbox/demo.ts';
import { copyDelivery } from '../sandbox/own-delivery.ts';
import { ownClusters, playOwn } from '../sandbox/own-story.ts';
import { simulatedParts, type WorldParts } from '../sandbox/parts.ts';
import { exampleClusters, seedExamples } from '../sandbox/seed.ts';
import { buildWorld, type World } from '../sandbox/world.ts';
import { Fault } from '../src/fault.ts';
import { runProcesses } from '../src/systems/process-run.ts';
import { ensureBinaries, onPath } from './binaries.mjs';
import { bundle } from './build.ts';

const root = join(import.meta.dirname, '..');
const usage = `Plays the whole loop on this machine: a simulated GitLab, an embedded registry, simulated clusters with Flux's
behaviour; real git, ORAS, kustomize, GitLab CI templates and the packaged CLI.

  npm run demo                                  the story, in five chapters
  npm run demo -- --keep                        leaves it running, with a page to look at
  npm run --silent demo -- --format json        one JSON document on stdout
  npm run demo -- --real                        on the real API server, Flux and registry (builds them: see docs/lab.md)
  npm run demo -- --delivery ../delivery --app web --image registry.example.com/shop/web:1.2.3
                                                the loop on a copy of your own delivery repository, which is only read
`;

const { values } = parseArgs({
  options: {
    keep: { type: 'boolean', default: false },
    real: { type: 'boolean', default: false },
    format: { type: 'string', default: 'text' },
    verbose: { type: 'boolean', default: false },
    delivery: { type: 'string' },
    app: { type: 'string' },
    image: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const say = (line: string) => void process.stderr.write(`${line}\n`);
const log = values.verbose ? say : undefined;

/** A record, and what people read of it. */
interface Told {
  readonly record: { readonly outcome: 'done' | 'failed' };
  readonly text: string;
}

async function tellExamples(world: World, began: number): Promise<Told> {
  await seedExamples(world);
  say(`GitLab's page: ${world.gitlab.url}`);
  const record = await tellDemo(world, (Date.now() - began) / 1000, say);
  const verdict = record.outcome === 'done' ? 'everything is as told' : 'NOT everything is as told';
  return { record, text: `\n${demoTable(record)}\n\n${verdict}; ${record.durations.total.toFixed(0)} s\n` };
}

/** The lab's parts, built where missing; loaded only here, since nobody else needs them. */
async function realParts(tell: ((line: string) => void) | undefined): Promise<WorldParts> {
  const { coreTools, labParts } = await import('../test/lab/parts.ts');
  await ensureBinaries([...coreTools, 'helm-controller'], { log: say });
  return labParts({ tier: 'helm', answerSignals: false, ...(tell ? { log: tell } : {}) });
}

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const own = [values.delivery, values.app, values.image];
  if (own.some((value) => value !== undefined) && own.includes(undefined))
    throw new Fault('usage', '--delivery, --app and --image go together', { hint: 'See npm run demo -- --help.' });
  if (!['text', 'json'].includes(values.format))
    throw new Fault('usage', `--format: "${values.format}" is not one of text, json`);
  const began = Date.now();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-demo-'));
  const ended = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.on(signal, () => reject(new Error(`stopped by ${signal}`)));
  });
  ended.catch(() => {});
  let world: World | undefined;
  try {
    say('building the CLI …');
    await bundle();
    const env = { PATH: process.env['PATH'] ?? '', HOME: folder, LANG: 'C.UTF-8' };
    const parts: WorldParts = values.real
      ? await realParts(log)
      : simulatedParts({
          folder,
          env,
          kustomize: join(onPath('kustomize', process.env) ?? '', 'kustomize'),
          ...(log ? { log } : {}),
        });
    const input =
      values.delivery === undefined
        ? null
        : await copyDelivery(
            {
              delivery: resolve(process.env['INIT_CWD'] ?? '.', values.delivery),
              app: values.app!,
              image: values.image!,
            },
            folder,
            runProcesses(env),
          );
    for (const line of input?.assumptions ?? []) say(`  assumed: ${line}`);
    if (input?.proposed) say(`  the proposed sluice.yaml:\n${input.proposed.replaceAll(/^/gm, '    ')}`);
    say('starting GitLab, registry and clusters on loopback, and seeding the projects …');
    const clusters = input ? ownClusters(input) : Object.keys(exampleClusters);
    world = await buildWorld({ folder, root, env, parts, clusters, ...(log ? { log } : {}) });
    const play = input
      ? playOwn(world, input, began, say).then((record) => ({ record, text: ownText(record) }))
      : tellExamples(world, began);
    const { record, text } = await Promise.race([play, ended]);
    process.stdout.write(values.format === 'json' ? `${JSON.stringify(record, null, 2)}\n` : text);
    if (values.keep) {
      say(`\nleft running: ${world.gitlab.url} (Ctrl-C ends it)`);
      await ended.catch(() => {});
    }
    return record.outcome === 'done' ? 0 : 1;
  } finally {
    await world?.stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(
    error instanceof Fault
      ? `error: ${error.message}\n  ${error.hint}\n`
      : `error: ${error instanceof Error ? error.message : String(error)}\n`,
  );
  return error instanceof Fault ? error.exit : 1;
});
