import { structuredPatch } from 'diff';
import { formatDiff } from '../../manifest/diff.ts';
import type { Config, Pair } from '../../config/config.ts';
import { allPairs } from '../../config/pair.ts';
import { agentSettings, completedAgentSettings } from './agent-settings.ts';
import { clusterFiles, clusterFolder, type ClusterPart, type WantedFile } from './cluster-files.ts';
import { objectsIn } from './documents.ts';
import { applicationSnippet, completedPipeline, deliveryPipeline, type ComponentPlace } from './pipelines.ts';
import type { Subject } from './rights.ts';

/** A file of the delivery repository. new: to be written · same: nothing to do · differs: left; the diff is for a person. */
export interface ProposedFile {
  readonly path: string;
  readonly state: 'new' | 'same' | 'differs';
  readonly text: string;
  /** Unified diff from what stands; '' where nothing changes. */
  readonly diff: string;
}

/** A file that belongs into another project. */
export interface ElsewhereFile {
  readonly project: string;
  readonly path: string;
  readonly text: string;
}

/** Everything that is proposed. */
export interface Proposal {
  readonly files: readonly ProposedFile[];
  readonly elsewhere: readonly ElsewhereFile[];
  /** What a person must look at. */
  readonly notes: readonly string[];
  /** Cluster → folder with its objects. */
  readonly folders: ReadonlyMap<string, string>;
}

/** What a proposal is made from. */
export interface ProposalInput {
  /** Texts of the repository's YAML files by path. */
  readonly files: ReadonlyMap<string, string>;
  /** Text of sluice.yaml, the one there is or the one proposed, and what it says. */
  readonly settings: { readonly path: string; readonly text: string; readonly config: Config };
  readonly registry: string;
  readonly delivery: { readonly project: string; readonly url: string; readonly branch: string };
  readonly access: 'agent' | 'ci-job';
  /** Id of the delivery project, for `access: ci-job`. */
  readonly projectId: number | null;
  readonly component: ComponentPlace;
}

const PIPELINE = '.gitlab-ci.yml';

/** Plans every file; what stands is compared, never replaced. */
export function planProposal(input: ProposalInput): Proposal {
  const { files, settings, registry, delivery, component, access } = input;
  const { config } = settings;
  const pairs = allPairs(config, registry).filter((pair) =>
    pair.artifacts.some(({ roots }) => roots.some((root) => hasFolder(files, root))),
  );
  const objects = objectsIn(files);
  const notes: string[] = [];
  const wanted: WantedFile[] = [{ path: settings.path, text: settings.text }];
  const elsewhere: ElsewhereFile[] = [];
  const folders = new Map<string, string>();
  for (const part of clustersOf(pairs)) {
    const cluster = { ...part, files, objects, delivery, subjects: subjectsOf(part, input) };
    folders.set(part.settings.name, clusterFolder(cluster));
    wanted.push(...clusterFiles(cluster));
    const agent = /^([^\s:]+\/[^\s:]+):([^\s:]+)$/.exec(part.settings.context);
    if (agent === null) continue;
    const [, project = '', name = ''] = agent;
    const path = `.gitlab/agents/${name}/config.yaml`;
    const environments = [...new Set(part.pairs.map(({ environment }) => environment.name))];
    if (project !== delivery.project)
      elsewhere.push({ project, path, text: agentSettings(delivery.project, environments, access) });
    else {
      const standing = files.get(path);
      const text =
        standing === undefined
          ? agentSettings(project, environments, access)
          : completedAgentSettings(standing, project, environments, access);
      if (text !== null) wanted.push({ path, text });
    }
  }
  const environments = config.environments.map(({ name }) => name);
  // GitLab shortens longer names in its groups: the slug of an environment has at most 24 characters.
  for (const name of access === 'ci-job' ? environments.filter((one) => one.length > 24) : [])
    notes.push(
      `The groups of ${name} in sluice-rbac.yaml must have GitLab's slug of that environment (its page shows it).`,
    );
  const standing = files.get(PIPELINE);
  const pipeline =
    standing === undefined
      ? deliveryPipeline(environments, component)
      : completedPipeline(standing, environments, component);
  if (pipeline === null)
    notes.push(
      `${PIPELINE} cannot be read here: include \`deliver\` once per environment (${environments.join(', ')}) yourself.`,
    );
  else wanted.push({ path: PIPELINE, text: pipeline });
  for (const app of config.apps) {
    const first = config.environments.find(({ changes }) => changes === 'push') ?? config.environments[0];
    elsewhere.push({
      project: app.project ?? `the application project of ${app.name}`,
      path: PIPELINE,
      text: applicationSnippet(app.name, delivery.project, first?.name ?? '', component),
    });
  }
  return { files: wanted.map((file) => compared(file, files)), elsewhere, notes, folders };
}

function compared({ path, text }: WantedFile, files: ReadonlyMap<string, string>): ProposedFile {
  const standing = files.get(path);
  if (standing === text) return { path, state: 'same', text, diff: '' };
  const { hunks } = structuredPatch('', '', standing ?? '', text, undefined, undefined, { context: 3 });
  const diff = formatDiff(path, hunks);
  if (standing !== undefined) return { path, state: 'differs', text, diff };
  return { path, state: 'new', text, diff: diff.replace(/^--- .*$/m, 'new file mode 100644\n--- /dev/null') };
}

function clustersOf(pairs: readonly Pair[]): readonly ClusterPart[] {
  const all = pairs.flatMap((pair) => pair.environment.clusters.map((settings) => ({ settings, pair })));
  const groups = Map.groupBy(all, ({ settings }) => settings.context);
  return [...groups.values()].map((group) => ({ settings: group[0]!.settings, pairs: group.map(({ pair }) => pair) }));
}

function subjectsOf({ settings, pairs }: ClusterPart, { access, projectId }: ProposalInput): readonly Subject[] {
  const agent = settings.context.split(':').at(-1) ?? settings.name;
  if (access === 'ci-job') {
    const environments = [...new Set(pairs.map(({ environment }) => environment.name))];
    return environments.map((name) => ({ kind: 'Group', name: `gitlab:project_env:${projectId ?? 0}:${name}` }));
  }
  // Names that the agent's Helm chart gives where the release is called like the agent.
  return [{ kind: 'ServiceAccount', name: `${agent}-gitlab-agent`, namespace: `gitlab-agent-${agent}` }];
}

function hasFolder(files: ReadonlyMap<string, string>, root: string): boolean {
  if (root === '.') return true;
  for (const file of files.keys()) if (file.startsWith(`${root}/`)) return true;
  return false;
}
