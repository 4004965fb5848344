import type { AppChange, ImageChange, Origin } from '../../src/app/change.ts';
import { groupChanges } from '../../src/app/group.ts';
import { parseImageFlag } from '../../src/app/image.ts';
import { lookUp, namesRegistry, pinImages } from '../../src/app/lookup.ts';
import { parseValueFlag } from '../../src/app/value.ts';
import type { Config, Pair } from '../../src/config/config.ts';
import type { Order } from '../../src/delivery/order.ts';
import { type DeliveryPlace, deliveryPlace } from '../../src/delivery/place.ts';
import type { Tip } from '../../src/delivery/tip.ts';
import { Fault } from '../../src/fault.ts';
import type { Context } from '../context.ts';

/** A look-up in the registry that is under way at the deadline may still end. */
const GRACE_MS = 5_000;

/** The changes that the flags (or --change) ask for. Faults `usage`, `image_reference`, `file_missing`, `origin_refused`. */
export async function readChanges(context: Context): Promise<readonly AppChange[]> {
  const { values } = context;
  const environments = [...new Set(values.list('environment'))];
  const batch = values.string('change');
  if (batch !== undefined) {
    const given = ['app', 'image', 'set'].filter((name) => values.given(name));
    if (given.length > 0) throw new Fault('usage', `--change and --${given.join(', --')} exclude each other`);
    const { unseal } = await import('../../src/app/sealed.ts');
    const opened = unseal(batch, '--change');
    const inline = opened !== null || /^\s*[[{]/.test(batch);
    const content = inline ? (opened ?? batch) : await context.files.read(batch);
    if (content === null)
      throw new Fault('file_missing', '--change: there is no such file', { place: { file: batch } });
    const text = typeof content === 'string' ? content : new TextDecoder().decode(content);
    // Who sends an open text may have let GitLab expand a variable of this job in it, to read it in the repository.
    if (context.job.pipelineSource === 'trigger' && context.holdsCredential(text)) {
      throw new Fault('origin_refused', 'the change holds a credential of this job: nothing of it is written', {
        hint: 'Send it with `sluice update --mode trigger`, and look at who has the trigger token.',
      });
    }
    const { parseBatch } = await import('../../src/app/batch.ts');
    return parseBatch(text, inline ? '--change' : batch, { environments, origin: readOrigin(context) });
  }
  if (environments.length === 0) {
    throw new Fault('usage', '--environment (SLUICE_ENVIRONMENT) is missing', {
      hint: 'Name an environment of sluice.yaml.',
    });
  }
  const images = values.list('image').map(parseImageFlag);
  const sets = values.list('set').map(parseValueFlag);
  if (images.length === 0 && sets.length === 0) {
    throw new Fault('usage', 'nothing to change: neither --image nor --set is given');
  }
  return [{ app: values.required('app'), environments, images, values: sets, origin: readOrigin(context) }];
}

/** The application's commit and pipeline; null where no project and commit are known. Fault `usage`. */
function readOrigin(context: Context): Origin | null {
  const { values, job } = context;
  const explicit = ['source-project', 'source-commit', 'source-pipeline'].some((name) => values.given(name));
  // In the delivery repository's own pipeline the predefined variables speak of the delivery commit.
  if (values.boolean('local') && !explicit) return null;
  const project = values.string('source-project');
  const commit = values.string('source-commit');
  if (project === undefined || commit === undefined) return null;
  if (!/^[0-9a-f]{40}$/.test(commit)) {
    throw new Fault(
      'usage',
      `--source-commit ${JSON.stringify(commit)} is not a full commit id (40 hexadecimal digits)`,
    );
  }
  if (!/^[\w.-]+(\/[\w.-]+)+$/.test(project)) {
    throw new Fault('usage', `--source-project ${JSON.stringify(project)} is not the full path of a project`);
  }
  const own = values.given('source-pipeline') ? undefined : job.parentPipelineId;
  if (job.pipelineSource === 'parent_pipeline' && own === undefined && !values.given('source-pipeline')) {
    // A child begins later than its parent: by its number an old commit can look newer than it is.
    context.reporter.warn(
      'this child pipeline does not know its parent: let the trigger job hand on SLUICE_PARENT_PIPELINE_ID: $CI_PIPELINE_ID',
    );
  }
  const pipeline = own === undefined ? values.string('source-pipeline') : String(own);
  if (pipeline !== undefined && !/^[1-9]\d{0,14}$/.test(pipeline)) {
    throw new Fault('usage', `--source-pipeline ${JSON.stringify(pipeline)} is not a pipeline id`);
  }
  return {
    project,
    commit,
    ref: values.string('source-ref') ?? '',
    pipeline: pipeline === undefined ? null : Number(pipeline),
  };
}

/** The delivery repository that the flags name. Faults `usage`, `token_missing`. */
export async function readPlace(context: Context): Promise<DeliveryPlace> {
  const { values, job } = context;
  const place = values.boolean('local')
    ? await localPlace(context)
    : deliveryPlace(values.required('delivery'), job.serverUrl);
  const secret = context.secret('SLUICE_GIT_TOKEN') ?? context.secret('SLUICE_GITLAB_TOKEN');
  if (/^https?:/i.test(place.url) && secret === undefined) {
    throw new Fault('token_missing', `no token to push to ${place.project}`, {
      hint: 'Set SLUICE_GIT_TOKEN (write_repository) or SLUICE_GITLAB_TOKEN (api) as a masked CI/CD variable.',
    });
  }
  return place;
}

async function localPlace(context: Context): Promise<DeliveryPlace> {
  const { job, files, processes } = context;
  if (job.project !== undefined) return deliveryPlace(job.project, job.serverUrl);
  const repository = await context.repository(files.folder);
  const url = await processes.run('git', ['config', '--get', 'remote.origin.url'], {
    cwd: repository.folder,
    accept: [0, 1],
  });
  if (url.text.trim() === '') throw new Fault('usage', '--local: this checkout has no remote "origin"');
  return deliveryPlace(url.text.trim().replace(/^(https?:\/\/)[^/@]*@/, '$1'), job.serverUrl);
}

/** What all orders of a run share. Images are looked up once, while the repository is cloned. */
export type CommonOrder = Omit<Order, 'environments' | 'changes' | 'origin' | 'pipelineCreatedAt' | 'allowOlder'>;

/** What the orders of some changes share. */
export function commonOrder(context: Context, changes: readonly AppChange[], project: string): CommonOrder {
  const { values } = context;
  const signal = AbortSignal.any([context.signal, context.late(GRACE_MS, silent)]);
  const digests = new Map<string, Promise<string>>();
  const parsed = new Map<string, Config>();
  const digestOf = (image: ImageChange) => {
    const key = JSON.stringify(image);
    const asked = digests.get(key) ?? context.registry().then((registry) => lookUp(registry, image, signal));
    digests.set(key, asked);
    return asked;
  };
  const images = new Map(changes.flatMap((change) => change.images.map((image) => [JSON.stringify(image), image])));
  const looking = lookAll(context, [...images.values()], digestOf);
  looking.catch(() => {});
  return {
    pin: (values.string('pin') as Pair['pin'] | undefined) ?? null,
    project,
    dryRun: values.boolean('dry-run'),
    config: (tip) => configOf(context, tip, project, parsed),
    pinned: (asked, pin) => pinImages(asked, pin, digestOf),
    verified: () => looking,
  };
}

function silent(): Fault {
  const hint = 'Raise --timeout, or look at the registry.';
  return new Fault('registry_unavailable', 'no answer until the deadline', { hint });
}

/** The orders of some changes: one for each set of environments and origin, so that no commit claims too much. */
export function ordersOf(context: Context, common: CommonOrder, changes: readonly AppChange[]): readonly Order[] {
  return datedGroups(context, changes).map((group) => ({ ...common, ...group }));
}

/** The same as far as the flags and the job tell: enough for `pastNeeded`. */
export function datedGroups(
  { values, job, clock }: Context,
  changes: readonly AppChange[],
): readonly Pick<Order, 'environments' | 'changes' | 'origin' | 'pipelineCreatedAt' | 'allowOlder'>[] {
  return groupChanges(changes).map((group) => {
    const own =
      !values.given('source-pipeline') &&
      group.origin?.project === job.project &&
      group.origin?.pipeline === job.pipelineId;
    // Commits have the times of runners: on one that is behind GitLab they would all be too old to be looked at.
    const pipelineCreatedAt =
      own && job.pipelineCreatedAt !== undefined ? Math.min(job.pipelineCreatedAt, clock.now()) : null;
    return { ...group, pipelineCreatedAt, allowOlder: values.boolean('allow-older') };
  });
}

async function lookAll(
  context: Context,
  images: readonly ImageChange[],
  digestOf: (image: ImageChange) => Promise<string>,
): Promise<void> {
  if (context.values.boolean('no-verify-image')) return;
  const known = images.filter((image) => namesRegistry(image));
  for (const image of images) {
    if (!known.includes(image)) context.reporter.detail(`${image.name} names no registry: it is not looked up`);
  }
  await Promise.all(known.map(digestOf));
}

/** sluice.yaml of a tip; `parsed` spares reading the same text again. */
async function configOf(context: Context, tip: Tip, project: string, parsed: Map<string, Config>): Promise<Config> {
  if (context.values.given('config')) return context.config();
  if (!tip.has('sluice.yaml')) {
    throw new Fault('config_missing', `${project} has no sluice.yaml in its root`);
  }
  const content = (await tip.read(['sluice.yaml'])).get('sluice.yaml')!;
  const text = new TextDecoder().decode(content);
  const { parseConfig } = await import('../../src/config/parse.ts');
  const config = parsed.get(text) ?? parseConfig(text, 'sluice.yaml');
  parsed.set(text, config);
  return config;
}
