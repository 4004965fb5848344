import type { AppChange } from '../../src/app/change.ts';
import { deliveryPlace } from '../../src/delivery/place.ts';
import { triggerDelivery } from '../../src/delivery/trigger.ts';
import { Fault } from '../../src/fault.ts';
import type { CommandResult } from '../command.ts';
import type { Context } from '../context.ts';
import { commonOrder } from './update.order.ts';
import { ownCommit } from './update.own.ts';
import { updateResult } from './update.text.ts';

/**
 * `update --mode trigger`: the delivery project's own pipeline makes the change. Nothing is read from the delivery
 * repository. Faults `usage`, `token_missing`, `image_missing`, those of `triggerDelivery`.
 */
export async function runTrigger(context: Context, changes: readonly AppChange[]): Promise<CommandResult> {
  const { values, job, reporter } = context;
  if (values.boolean('local')) throw new Fault('usage', '--mode trigger and --local exclude each other');
  if (values.boolean('wait')) {
    throw new Fault('usage', '--mode trigger cannot wait: its token reads nothing', {
      hint: 'The delivery side posts the results on the application commit.',
    });
  }
  if (values.string('pin') !== undefined) {
    throw new Fault('usage', '--mode trigger and --pin exclude each other', {
      hint: 'Write pin: in sluice.yaml: the delivery project’s pipeline decides it.',
    });
  }
  const { project, onGitLab } = deliveryPlace(values.required('delivery'), job.serverUrl);
  if (!onGitLab || job.apiUrl === undefined) {
    throw new Fault('usage', `${project} is not on this GitLab: a trigger needs its API`);
  }
  if (changes.some((change) => change.origin === null)) {
    throw new Fault('usage', 'a triggered change must say where it comes from', {
      hint: 'Run in a GitLab job, or give --source-project, --source-commit, --source-ref and --source-pipeline.',
    });
  }
  // In one's own project the triggered pipeline holds this very job again.
  if (project === job.project && (job.pipelineSource === 'trigger' || (await ownCommit(context)))) {
    reporter.info('this pipeline is sluice’s own doing: nothing to trigger');
    return updateResult({ changes, deliveries: [], skipped: true, dryRun: false });
  }
  const token = context.secret('SLUICE_TRIGGER_TOKEN');
  if (token === undefined) {
    throw new Fault('token_missing', `no token to trigger ${project}`, {
      hint: 'Set SLUICE_TRIGGER_TOKEN to a pipeline trigger token of the delivery project (masked).',
    });
  }
  await commonOrder(context, changes, project).verified();
  if (values.boolean('dry-run')) return updateResult({ changes, deliveries: [], skipped: false, dryRun: true });
  reporter.step(`Triggering the pipeline of ${project}`);
  const triggered = await triggerDelivery(changes, {
    apiUrl: job.apiUrl,
    project,
    branch: values.string('branch') ?? 'main',
    token,
    by: values.boolean('trigger-variables') ? 'variable' : 'input',
    http: context.http,
    clock: context.clock,
    signal: context.signal,
  });
  return updateResult({ changes, deliveries: [], skipped: false, dryRun: false, triggered });
}
