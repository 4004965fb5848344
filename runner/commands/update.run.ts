import type { AppChange } from '../../src/app/change.ts';
import { pastNeeded } from '../../src/delivery/past.ts';
import type { CommandResult } from '../command.ts';
import type { Context } from '../context.ts';
import { commonOrder, datedGroups, readChanges, readPlace } from './update.order.ts';
import { updateResult } from './update.text.ts';

/** `update`. Faults: those of the flags, of sluice.yaml, the manifests, git, the registry and GitLab. */
export async function run(context: Context): Promise<CommandResult> {
  const { values, job, reporter } = context;
  const changes = await readChanges(context);
  if (values.string('mode') === 'trigger') {
    const { runTrigger } = await import('./update.trigger.ts');
    return runTrigger(context, changes);
  }
  const place = await readPlace(context);
  if (place.project === job.project && (await isOwn(context))) {
    reporter.info('this pipeline’s commit was made by sluice: nothing to update');
    return updateResult({ changes, deliveries: [], skipped: true, dryRun: false });
  }
  reporter.step(`Updating ${namesOf(changes)} in ${place.project}`);
  const git = await context.deliveryGit();
  const branch = values.string('branch') ?? (values.boolean('local') ? job.ref : undefined) ?? null;
  // While the clone is under way the images are looked up, and what reads YAML is loaded.
  const meanwhile = () => void Promise.all([import('./update.deliver.ts'), import('../../src/config/parse.ts')]);
  const since = pastNeeded(datedGroups(context, changes));
  const cloning = git.clone(place.url, branch, { signal: context.signal, since, meanwhile });
  const common = commonOrder(context, changes, place.project);
  await using clone = await cloning;
  const { deliverChanges } = await import('./update.deliver.ts');
  return await deliverChanges({ context, changes, place, common, clone });
}

function namesOf(changes: readonly AppChange[]): string {
  return [...new Set(changes.map((change) => change.app))].join(', ');
}

async function isOwn(context: Context): Promise<boolean> {
  const { ownCommit } = await import('./update.own.ts');
  return ownCommit(context);
}
