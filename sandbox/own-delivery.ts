import { existsSync } from 'node:fs';
import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config, Environment, Pair } from '../src/config/config.ts';
import { appOf, pairOf } from '../src/config/pair.ts';
import { parseConfig } from '../src/config/parse.ts';
import { parseImageFlag } from '../src/app/image.ts';
import { assumptionsOf } from '../src/operations/init/layout.ts';
import { manifestsIn } from '../src/operations/init/manifests.ts';
import { layoutOfApp } from '../src/operations/init/one-app.ts';
import { settingsText } from '../src/operations/init/settings.ts';
import { localFiles } from '../src/systems/files-local.ts';
import { Fault } from '../src/fault.ts';
import type { Processes } from '../src/systems/process.ts';

/** What a person gives: a delivery repository on this machine, an app of it, and the image to deliver. */
export interface OwnInput {
  readonly delivery: string;
  readonly app: string;
  readonly image: string;
}

/** A private copy of that repository, ready to be played with. */
export interface OwnDelivery {
  readonly folder: string;
  readonly config: Config;
  readonly app: string;
  readonly image: string;
  /** The first environment of the chain: the one that is delivered to. */
  readonly environment: Environment;
  readonly pair: Pair;
  /** Application project; invented where sluice.yaml names none. */
  readonly project: string;
  /** What was taken for granted, one sentence each. */
  readonly assumptions: readonly string[];
  /** Text of sluice.yaml where one was proposed. */
  readonly proposed: string | null;
  /** Namespaces that its manifests name. */
  readonly namespaces: readonly string[];
}

/** Copies the committed state (or the files, where it is no git repository) below `folder`; the original is only read. */
export async function copyDelivery(input: OwnInput, folder: string, processes: Processes): Promise<OwnDelivery> {
  if (!existsSync(input.delivery)) throw new Fault('file_missing', `${input.delivery} does not exist`);
  const copy = join(folder, 'own-delivery');
  const assumptions: string[] = [];
  if (isRepository(input.delivery)) {
    await processes.run('git', ['clone', '--quiet', '--no-hardlinks', '--', input.delivery, copy]);
    assumptions.push('The committed state of HEAD is delivered; changes that are not committed are left out.');
    await rm(join(copy, '.git'), { recursive: true, force: true });
  } else await cp(input.delivery, copy, { recursive: true, errorOnExist: false, verbatimSymlinks: true });
  const texts = await manifestsIn(localFiles(copy, folder));
  const image = parseImageFlag(input.image);
  const invented = `shop/${input.app}`;
  const standing = texts.get('sluice.yaml') ?? null;
  const layout = standing === null ? layoutOfApp(texts, input.app, image) : null;
  const proposed =
    layout &&
    settingsText({ layout, agents: null, source: 'oci', projects: new Map([[input.app, invented]]), receiver: 'none' });
  if (layout && proposed !== null) {
    await writeFile(join(copy, 'sluice.yaml'), proposed);
    assumptions.push(
      'There is no sluice.yaml: one was proposed from the layout.',
      ...assumptionsOf(layout),
      'Each cluster is reached by a kubeconfig context called like its environment; `sluice init` names agents instead.',
    );
  }
  const config = parseConfig((proposed ?? standing)!, 'sluice.yaml');
  const app = appOf(config, input.app);
  const environment = config.environments.find((one) => one.promoteFrom === null) ?? config.environments[0]!;
  assumptions.push(
    `Only ${environment.name}, the first environment, is delivered to; its pipeline replaces the repository's own.`,
  );
  await writeFile(join(copy, '.gitlab-ci.yml'), deliveryPipeline(environment.name));
  const namespaces = new Set(
    [...texts.values()].flatMap((text) =>
      [...text.matchAll(/^\s*(?:namespace|targetNamespace):\s*["']?([a-z0-9-]+)["']?\s*(?:#.*)?$/gm)].map(
        (match) => match[1]!,
      ),
    ),
  );
  return {
    folder: copy,
    config,
    app: app.name,
    image: input.image,
    environment,
    pair: pairOf(config, app.name, environment.name),
    project: app.project ?? invented,
    assumptions,
    proposed,
    namespaces: [...namespaces].toSorted(),
  };
}

/** The root of a work tree, or a bare repository; a folder inside one is copied as it is. */
function isRepository(path: string): boolean {
  return existsSync(join(path, '.git')) || (existsSync(join(path, 'HEAD')) && existsSync(join(path, 'objects')));
}

function deliveryPipeline(environment: string): string {
  return [
    'include:',
    '  - component: $CI_SERVER_FQDN/sluice/sluice/deliver@0.1.0',
    `    inputs: { environment: ${environment} }`,
    '',
  ].join('\n');
}
