import { parseConfig } from '../../src/config/parse.ts';
import { Fault } from '../../src/fault.ts';
import { bootstrapSteps } from '../../src/operations/init/bootstrap.ts';
import { assumptionsOf, readLayout } from '../../src/operations/init/layout.ts';
import { manifestsIn, manifestsOf } from '../../src/operations/init/manifests.ts';
import { openRequest } from '../../src/operations/init/open-request.ts';
import { planProposal, type Proposal, type ProposalInput } from '../../src/operations/init/proposal.ts';
import { settingsText } from '../../src/operations/init/settings.ts';
import type { DeliveryClone } from '../../src/systems/git-remote.ts';
import type { CommandResult } from '../command.ts';
import type { Context } from '../context.ts';
import { version } from '../version.ts';
import { readDoctorPlace } from './doctor.place.ts';
import { initResult, stepsText } from './init.text.ts';

/** `init`. Faults: those of flags, sluice.yaml, files; with --merge-request those of git and GitLab. */
export async function run(context: Context): Promise<CommandResult> {
  const { values, reporter } = context;
  const place = await readDoctorPlace(context);
  const project = place.project;
  if (values.boolean('merge-request')) {
    if (project === null || place.url === null)
      throw new Fault('usage', '--merge-request: the delivery project is not known', {
        hint: 'Give --gitlab URL and --delivery PROJECT.',
      });
    const git = await context.deliveryGit();
    await using clone = await git.clone(`${place.url}/${project}.git`, values.string('branch') ?? null, context);
    return await propose(context, place, await manifestsOf(clone), clone);
  }
  reporter.step('Reading the repository');
  return propose(context, place, await manifestsIn(context.files), null);
}

type Place = Awaited<ReturnType<typeof readDoctorPlace>>;

async function propose(
  context: Context,
  place: Place,
  files: ReadonlyMap<string, string>,
  clone: DeliveryClone | null,
): Promise<CommandResult> {
  const { values } = context;
  const dryRun = values.boolean('dry-run');
  const project = place.project ?? 'group/delivery';
  const settings = settingsOf(context, files, project);
  const assumed: string[] = [...settings.assumed];
  const host = place.url === null ? 'gitlab.example.com' : new URL(place.url).host;
  const registry = place.registry ?? `registry.${host}/${project}`;
  if (place.project === null) assumed.push(`The delivery project is called ${project} (--delivery says otherwise).`);
  if (place.registry === null) assumed.push(`The registry of the project is ${registry} (--registry says otherwise).`);
  const input: ProposalInput = {
    files,
    settings,
    registry,
    delivery: {
      project,
      url: `${place.url ?? `https://${host}`}/${project}.git`,
      branch: values.string('branch') ?? clone?.branch ?? 'main',
    },
    access: values.string('access') === 'ci-job' ? 'ci-job' : 'agent',
    projectId: values.integer('project-id') ?? null,
    component: { project: values.string('component') ?? 'sluice/sluice', version },
  };
  if (input.access === 'ci-job' && input.projectId === null)
    throw new Fault('usage', '--access ci-job needs the id of the delivery project', {
      hint: 'Give --project-id ID (it stands on the project’s page).',
    });
  const proposal = planProposal(input);
  const steps = bootstrapSteps({
    config: settings.config,
    project,
    registryHost: registry.split('/')[0] ?? registry,
    folders: proposal.folders,
  });
  const request =
    clone !== null && !dryRun && proposal.files.some(({ state }) => state === 'new')
      ? await openRequest(
          proposal,
          { project, steps: stepsText(steps) },
          { clone, gitlab: await context.gitlab(), signal: context.signal },
        )
      : null;
  if (clone === null && !dryRun) await write(context, proposal);
  return initResult({ proposal, steps, assumed, request, dryRun, config: settings.config });
}

/** The sluice.yaml there is, else one for what the folders tell. Faults `config_invalid`, `target_missing`. */
function settingsOf(
  { values }: Context,
  files: ReadonlyMap<string, string>,
  project: string,
): ProposalInput['settings'] & { readonly assumed: readonly string[] } {
  const path = values.string('config') ?? 'sluice.yaml';
  const standing = files.get(path);
  if (standing !== undefined) {
    const idle = ['application', 'agents', 'app', 'no-receiver'].filter((name) => values.given(name));
    const assumed = idle.map((name) => `--${name} was not read: ${path} stands, and says it.`);
    return { path, text: standing, config: parseConfig(standing, path), assumed };
  }
  const layout = readLayout(files, values.string('app') ?? project.split('/').at(-1) ?? 'app');
  if (layout.apps.length === 0) {
    throw new Fault('target_missing', 'no app and no environment can be told from the folders of this repository', {
      hint: 'Put manifests to apps/<app>/<environment>, or write a sluice.yaml that names environments and apps, and run again.',
    });
  }
  const projects = new Map(
    values.list('application').map((text) =>
      readApplication(
        text,
        layout.apps.map(({ name }) => name),
      ),
    ),
  );
  const source = values.string('source') === 'git' ? 'git' : 'oci';
  const text = settingsText({
    layout,
    agents: values.string('agents') ?? project,
    source,
    projects,
    receiver: values.boolean('no-receiver') ? 'none' : 'generic-hmac',
  });
  const assumed = [
    ...assumptionsOf(layout),
    ...layout.apps
      .filter(({ name }) => !projects.has(name))
      .map(
        ({ name }) =>
          `The application project of ${name} is not known: add \`project:\`, or give --application ${name}=PROJECT.`,
      ),
  ];
  return { path, text, config: parseConfig(text, path), assumed };
}

function readApplication(text: string, apps: readonly string[]): readonly [string, string] {
  const [, app, project] = /^([^=]+)=([^\s/]+(?:\/[^\s/]+)+)$/.exec(text) ?? [];
  if (app === undefined || project === undefined)
    throw new Fault('usage', `--application ${JSON.stringify(text)} is not APP=PROJECT`, {
      hint: 'Write e.g. podinfo=shop/podinfo.',
    });
  if (!apps.includes(app))
    throw new Fault('unknown_app', `--application: there is no app ${app}; there are ${apps.join(', ')}`);
  return [app, project];
}

async function write({ files, reporter }: Context, proposal: Proposal): Promise<void> {
  for (const { path, text, state } of proposal.files) {
    if (state !== 'new') continue;
    await files.write(path, text);
    reporter.info(`wrote ${path}`);
  }
}
