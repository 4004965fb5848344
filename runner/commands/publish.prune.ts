import { readUses, type Uses } from '../../src/artifact/in-use.ts';
import { prune, type Pruned, type PrunedTag } from '../../src/artifact/prune.ts';
import type { Config } from '../../src/config/config.ts';
import { allPairs, ledgerRepository } from '../../src/config/pair.ts';
import { Fault } from '../../src/fault.ts';
import { requestedKinds, resourceKind } from '../../src/notify/kinds.ts';
import type { CommandResult } from '../command.ts';
import type { Context } from '../context.ts';
import { alignedTable } from '../output/table.ts';
import { commitOf, placeOf, registryOf } from './publish.place.ts';

const DAYS = 90;

/** `publish --prune`: removes what nobody needs any more. Faults: those of `prune`, `usage`. */
export async function runPrune(context: Context): Promise<CommandResult> {
  const { values, reporter, files, clock } = context;
  const config = await context.config();
  const git = await context.repository(files.folder);
  const sha = await commitOf(context, git);
  const place = await placeOf(context);
  const { project, branch, source } = place;
  const registryName = registryOf(place);
  const keep = { days: values.integer('keep-days') ?? null, count: values.integer('keep-count') ?? null };
  if ([keep.days, keep.count].some((bound) => bound !== null && bound < 0)) {
    throw new Fault('usage', '--keep-days and --keep-count count from 0');
  }
  const bounds = keep.days === null && keep.count === null ? { ...keep, days: DAYS } : keep;
  reporter.step(`prune ${registryName} as of ${sha.slice(0, 12)}`);
  const dryRun = values.boolean('dry-run');
  const pruned = await prune(
    { git, registry: await context.registry(), files, clock },
    {
      config,
      project,
      branch,
      sha,
      source,
      registryName,
      ledgerRepository: ledgerRepository(registryName),
      keep: bounds,
      environments: values.list('environment'),
      apps: values.list('app'),
      uses: await usesOf(context, config),
      dryRun,
      parallel: Math.max(1, values.integer('parallel') ?? 4),
      notice: (text) => reporter.warn(text),
      signal: context.signal,
    },
  );
  for (const { repository, tag, fault } of pruned.tags) {
    if (fault) reporter.warn(`${repository}:${tag}: ${fault.hint} (${fault.docs})`);
  }
  const count = (outcome: PrunedTag['outcome']) => pruned.tags.filter((one) => one.outcome === outcome).length;
  const [removed, planned, failed] = [count('removed'), count('planned'), count('failed')];
  const outcome = failed > 0 ? 'failed' : removed > 0 ? 'removed' : planned > 0 ? 'planned' : 'unchanged';
  return {
    record: { outcome, project, branch, commit: sha, keep: bounds, removed, tags: pruned.tags },
    text: textOf(pruned, dryRun),
    exit: pruned.exit,
    dotenv: { SLUICE_OUTCOME: outcome, SLUICE_REMOVED: String(removed) },
    cases: pruned.tags
      .filter(({ outcome: of }) => of !== 'kept')
      .map(({ repository, tag, fault }) => ({
        suite: 'publish --prune',
        name: `${repository}:${tag}`,
        seconds: 0,
        ...(fault ? { failure: `${fault.message}\n${fault.hint}` } : {}),
      })),
  };
}

/** What the clusters of sluice.yaml hold on to, as far as they can be asked. */
async function usesOf(context: Context, config: Config): Promise<readonly Uses[]> {
  const kinds = [requestedKinds.OCIRepository, requestedKinds.Kustomization, requestedKinds.HelmRelease].map((known) =>
    known.versions.map((version) => resourceKind(known, version)),
  );
  const namespaces = [...new Set(allPairs(config).map(({ namespace }) => namespace))];
  const clusters = new Map(config.environments.flatMap(({ clusters: of }) => of.map((one) => [one.context, one.name])));
  const uses = await Promise.all(
    [...clusters].map(async ([name, cluster]) => {
      try {
        return await readUses(await context.cluster(cluster, name), kinds, namespaces, context.signal);
      } catch (error) {
        context.signal.throwIfAborted();
        if (!(error instanceof Fault)) throw error;
        context.reporter.warn(`cluster ${cluster} was not asked what it uses: ${error.message}`);
        return null;
      }
    }),
  );
  return uses.filter((one) => one !== null);
}

function textOf({ tags }: Pruned, dryRun: boolean): string {
  const shown = tags.filter(({ outcome, inUse }) => outcome !== 'kept' || inUse);
  const rows = shown.map(({ outcome, repository, tag, reason }) => [outcome, `${repository}:${tag}`, reason]);
  const going = tags.filter(({ outcome }) => outcome === 'removed' || outcome === 'planned').length;
  const sum = `${going} of ${tags.length} tags ${dryRun ? 'would be removed' : 'removed'}`;
  return rows.length === 0 ? sum : `${alignedTable(rows)}\n${sum}`;
}
