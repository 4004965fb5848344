import type { AppChange, ImageChange, Origin } from '../../src/app/change.ts';
import { parseImageFlag } from '../../src/app/image.ts';
import { lookUp, namesRegistry, pinImages } from '../../src/app/lookup.ts';
import { parseValueFlag } from '../../src/app/value.ts';
import type { Config } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/parse.ts';
import type { Order } from '../../src/delivery/order.ts';
import { type DeliveryPlace, deliveryPlace } from '../../src/delivery/place.ts';
import type { Tip } from '../../src/delivery/tip.ts';
import { Fault } from '../../src/fault.ts';
import type { Context } from '../context.ts';

/** The change that the flags ask for. Faults `usage`, `image_reference`. */
export function readChange(context: Context): AppChange {
  const { values } = context;
  const environments = [...new Set(values.list('environment'))];
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
  return { app: values.required('app'), environments, images, values: sets, origin: readOrigin(context) };
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
  const own = values.given('source-pipeline') ? undefined : job.parentPipelineId;
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

/** The order for some environments of a change. Images are looked up once, while the repository is cloned. */
export function orderOf(
  context: Context,
  change: AppChange,
  project: string,
): Omit<Order, 'environments'> & { readonly looking: Promise<void> } {
  const { values, job, signal } = context;
  const digests = new Map<string, Promise<string>>();
  const digestOf = (image: ImageChange) => {
    const key = JSON.stringify(image);
    const asked = digests.get(key) ?? context.registry().then((registry) => lookUp(registry, image, signal));
    digests.set(key, asked);
    return asked;
  };
  const looking = lookAll(context, change.images, digestOf);
  looking.catch(() => {});
  const own = !values.given('source-pipeline') && change.origin?.pipeline === job.pipelineId;
  return {
    changes: [change],
    origin: change.origin,
    pipelineCreatedAt: (own ? job.pipelineCreatedAt : undefined) ?? null,
    allowOlder: values.boolean('allow-older'),
    project,
    dryRun: values.boolean('dry-run'),
    config: (tip) => configOf(context, tip, project),
    pinned: (images, pin) => pinImages(images, pin, digestOf),
    verified: () => looking,
    looking,
  };
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

async function configOf(context: Context, tip: Tip, project: string): Promise<Config> {
  if (context.values.given('config')) return context.config();
  if (!tip.has('sluice.yaml')) {
    throw new Fault('config_missing', `${project} has no sluice.yaml in its root`);
  }
  const content = (await tip.read(['sluice.yaml'])).get('sluice.yaml')!;
  return parseConfig(new TextDecoder().decode(content), 'sluice.yaml');
}
