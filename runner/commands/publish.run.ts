import { resolve } from 'node:path';
import type { Item } from '../../src/artifact/evaluate.ts';
import { publish, type PublishInput } from '../../src/artifact/publish.ts';
import type { Publication, PublishOutcome } from '../../src/artifact/published.ts';
import { requestClaims } from '../../src/artifact/request-claims.ts';
import type { Config } from '../../src/config/config.ts';
import { allPairs, appOf, environmentOf, ledgerRepository, pairOf } from '../../src/config/pair.ts';
import { Fault } from '../../src/fault.ts';
import type { CommandResult } from '../command.ts';
import type { Context } from '../context.ts';
import { alignedTable } from '../output/table.ts';
import { commitOf, placeOf, registryOf } from './publish.place.ts';

const SHORT_MS = 60_000;

/** Publishes the delivery commit's artifacts. */
export async function run(context: Context): Promise<CommandResult> {
  if (context.values.boolean('prune')) return (await import('./publish.prune.ts')).runPrune(context);
  const bound = ['keep-days', 'keep-count'].find((name) => context.values.given(name));
  if (bound !== undefined) throw new Fault('usage', `--${bound} belongs to --prune`);
  const { publication, exit } = await publishCommit(context);
  const outcome = sumOf(publication);
  for (const { environment, artifact, fault } of publication.artifacts) {
    if (fault) context.reporter.warn(`${environment}/${artifact}: ${fault.hint} (${fault.docs})`);
  }
  return {
    record: { outcome, ...publication },
    text: textOf(publication),
    exit,
    dotenv: dotenvOf(publication, outcome),
    cases: publication.artifacts.map((artifact) => ({
      suite: `publish ${artifact.environment}`,
      name: artifact.artifact,
      seconds: 0,
      ...(artifact.fault ? { failure: `${artifact.fault.message}\n${artifact.fault.hint}` } : {}),
      ...(artifact.outcome === 'held' ? { skipped: artifact.reason } : {}),
    })),
    summary: summaryOf(publication),
  };
}

/** The work of `publish`, also for `deliver`. */
export async function publishCommit(
  context: Context,
): Promise<{ readonly publication: Publication; readonly exit: CommandResult['exit'] }> {
  const { values, reporter, files, clock, job } = context;
  const config = await context.config();
  const git = await context.repository(files.folder);
  const sha = await commitOf(context, git);
  const layoutFolder = values.string('oci-layout') ?? null;
  const fromLayout = values.string('from-oci-layout') ?? null;
  if (layoutFolder !== null && fromLayout !== null) {
    throw new Fault('usage', '--oci-layout and --from-oci-layout exclude each other');
  }
  const place = await placeOf(context);
  const { project, branch, source } = place;
  const items = itemsOf(config, environmentsOf(context, config), values.list('app'), place.registryName);
  const pushes = layoutFolder === null && items.some(({ pair }) => pair.source === 'oci');
  const registryName = pushes ? registryOf(place) : place.registryName;
  const offline = layoutFolder !== null || registryName === undefined;
  reporter.step(`publish ${sha.slice(0, 12)}: ${items.length} artifacts`);
  // Where the job itself has hardly any time, its end is soon enough.
  const bounded = values.given('timeout') || context.deadline - clock.now() > SHORT_MS;
  const input: PublishInput = {
    items,
    pairs: allPairs(config, registryName),
    project,
    branch,
    sha,
    source,
    ledgerRepository: offline ? null : ledgerRepository(registryName),
    dryRun: values.boolean('dry-run'),
    layoutFolder,
    fromLayout: fromLayout && resolve(files.folder, fromLayout),
    override: values.string('override') ?? null,
    deployFreeze: job.deployFreeze,
    limits: { files: values.integer('max-files') ?? 50_000, bytes: values.integer('max-bytes') ?? 1024 ** 3 },
    tags: values.list('tag'),
    parallel: Math.max(1, values.integer('parallel') ?? 4),
    ...(project !== '' && context.secret('SLUICE_GITLAB_TOKEN')
      ? { mergeRequest: mergeRequestOf(context, project) }
      : {}),
    notice: (text) => reporter.warn(text),
    signal: context.signal,
    ...(bounded ? { deadline: context.late(0, () => tooLate(registryName ?? layoutFolder ?? '')) } : {}),
  };
  const registry = offline ? null : await context.registry();
  const signer = registry && values.string('sign') === 'cosign' ? await context.signer() : null;
  const systems = { git, registry, signer, kustomize: await context.kustomize(), files, clock };
  return publish(systems, input);
}

function tooLate(where: string): Fault {
  return new Fault('registry_unavailable', `${where}: not done in time (--timeout, or what the job has left)`);
}

/** What the merge requests of a commit claim; best effort, since a publication does not depend on it. */
function mergeRequestOf(context: Context, project: string): NonNullable<PublishInput['mergeRequest']> {
  return async (sha) => {
    try {
      return await requestClaims(await context.gitlab(), project, sha);
    } catch (error) {
      context.signal.throwIfAborted();
      if (!(error instanceof Fault)) throw error;
      context.reporter.warn(`the merge requests of ${sha.slice(0, 12)} are not known: ${error.message}`);
      return [];
    }
  };
}

/** The environments asked for, in sluice.yaml's order. */
function environmentsOf(context: Context, config: Config): readonly string[] {
  const asked = context.values.list('environment').map((name) => environmentOf(config, name).name);
  const names = config.environments.map(({ name }) => name);
  const own = context.job.environment;
  const wanted = asked.length > 0 ? asked : own !== undefined && names.includes(own) ? [own] : names;
  return names.filter((name) => wanted.includes(name));
}

function itemsOf(
  config: Config,
  environments: readonly string[],
  asked: readonly string[],
  registry: string | undefined,
): readonly Item[] {
  const apps = asked.length > 0 ? asked.map((name) => appOf(config, name).name) : config.apps.map(({ name }) => name);
  return environments.flatMap((environment) =>
    [...new Set(apps)].flatMap((app) => {
      const pair = pairOf(config, app, environment, registry);
      return pair.artifacts.map((artifact) => ({ pair, artifact }));
    }),
  );
}

/** Worst first. */
const ORDER: readonly PublishOutcome[] = ['failed', 'refused', 'held', 'pushed', 'superseded', 'unchanged'];

function sumOf(publication: Publication): PublishOutcome {
  return ORDER.find((outcome) => publication.artifacts.some((one) => one.outcome === outcome)) ?? 'unchanged';
}

function textOf({ artifacts }: Publication): string {
  const name = (one: Publication['artifacts'][number]) =>
    one.app === one.artifact ? one.app : `${one.app}/${one.artifact}`;
  return alignedTable(
    artifacts.map((one) => [one.environment, name(one), outcomeWord(one), one.digest?.slice(0, 19) ?? '-', one.reason]),
  );
}

/** The outcome for people: with `source: git` nothing is pushed. */
export function outcomeWord({ source, outcome }: Publication['artifacts'][number]): string {
  return source === 'git' && outcome === 'pushed' ? 'changed' : outcome;
}

function dotenvOf(publication: Publication, outcome: string): Readonly<Record<string, string>> {
  const name = (text: string) => text.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');
  const digests = publication.artifacts.flatMap(({ environment, artifact, digest }) =>
    digest === null ? [] : [[`SLUICE_DIGEST_${name(environment)}_${name(artifact)}`, digest] as const],
  );
  return { SLUICE_OUTCOME: outcome, SLUICE_DELIVERY_COMMIT: publication.commit, ...Object.fromEntries(digests) };
}

function summaryOf({ commit, artifacts }: Publication): string {
  const cell = (text: string) => text.replaceAll('|', String.raw`\|`).replaceAll('\n', ' ');
  const rows = artifacts.map((one) =>
    [
      one.environment,
      one.artifact,
      outcomeWord(one),
      one.digest ? `\`${one.digest.slice(0, 19)}\`` : '',
      cell(one.reason),
    ].join(' | '),
  );
  return [
    `### publish ${commit.slice(0, 12)}`,
    '',
    '| environment | artifact | outcome | digest | reason |',
    '|---|---|---|---|---|',
    ...rows.map((row) => `| ${row} |`),
    '',
  ].join('\n');
}
