import type { ClusterSettings, Pair } from '../../src/config/config.ts';
import { judgeAgent, type AgentFacts } from '../../src/operations/doctor/agent.ts';
import { answerOr, attempt } from '../../src/operations/doctor/attempt.ts';
import { examineCluster } from '../../src/operations/doctor/examine-cluster.ts';
import type { CredentialSystems } from '../../src/operations/doctor/examine-credential.ts';
import { judge, type Finding } from '../../src/operations/doctor/finding.ts';
import type { GitLab } from '../../src/systems/gitlab.ts';
import { repositoryUrls } from '../../src/sync/target.ts';
import type { Scene } from './doctor.scene.ts';

/** Looks at every cluster of the environments asked for, all at once. */
export async function examineClusters(scene: Scene): Promise<readonly Finding[]> {
  const { context, pairs, config, wants } = scene;
  const parts = ['agent', 'rights', 'flux', 'sources', 'receivers', 'posters', 'credential'] as const;
  if (!parts.some(wants) || config === null) return [];
  const clusters = clustersOf(pairs);
  if (clusters.length === 0)
    return [
      judge('agent').unknown(
        'clusters-none',
        'sluice.yaml names no cluster',
        'Add `clusters` to the environments: without them sync cannot look.',
      ),
    ];
  const contexts = await attempt(() => context.inspect.contexts());
  const allowed = await allowedAgents(scene);
  const credentials = await credentialSystems(scene);
  const looked = await Promise.all(
    clusters.map((one) => examineOne(scene, one, { contexts: answerOr(contexts, null), allowed }, credentials)),
  );
  return looked.flat();
}

interface NamedCluster {
  readonly settings: ClusterSettings;
  readonly pairs: readonly Pair[];
}

function clustersOf(pairs: readonly Pair[]): readonly NamedCluster[] {
  const all = pairs.flatMap((pair) => pair.environment.clusters.map((settings) => ({ settings, pair })));
  const groups = Map.groupBy(all, ({ settings }) => `${settings.name} ${settings.context}`);
  return [...groups.values()].map((group) => ({ settings: group[0]!.settings, pairs: group.map(({ pair }) => pair) }));
}

async function examineOne(
  scene: Scene,
  { settings, pairs }: NamedCluster,
  { contexts, allowed }: { readonly contexts: readonly string[] | null; readonly allowed: Allowed },
  credentials: CredentialSystems,
): Promise<readonly Finding[]> {
  const { context, place, inJob, wants } = scene;
  const { job } = context;
  const cluster =
    contexts?.includes(settings.context) === true
      ? await attempt(() => context.cluster(settings.name, settings.context))
      : null;
  const reached =
    cluster === null || 'fault' in cluster
      ? cluster
      : await attempt(async () => {
          await cluster.answer.apiGroups();
          return cluster.answer.version();
        });
  const access = {
    project: place.project ?? undefined,
    environment: job.environment ?? pairs[0]?.environment.name,
    ref: job.ref,
    protectedRef: job.protectedRef,
  };
  const findings: Finding[] = [
    ...judgeAgent({
      cluster: settings.name,
      context: settings.context,
      contexts,
      reached,
      inJob,
      job: inJob ? { ...access, environment: job.environment } : access,
      ...(await registration(scene, settings.context, allowed)),
    }),
  ];
  if (cluster === null || 'fault' in cluster || reached === null || 'fault' in reached) return findings;
  const looked = await attempt(() =>
    examineCluster({
      cluster: cluster.answer,
      settings,
      pairs,
      delivery: {
        urls: place.url === null || place.project === null ? [] : repositoryUrls(place.url, place.project),
        branch: place.branch ?? job.defaultBranch ?? 'main',
      },
      host: place.url === null ? null : new URL(place.url).hostname,
      http: context.http,
      clock: context.clock,
      inJob,
      secretOf: (variable) => context.secret(variable),
      credentials,
      wants,
    }),
  );
  if ('answer' in looked) return [...findings, ...looked.answer];
  const { code, message, hint } = looked.fault;
  return [...findings, judge('agent', settings.name).fault('cluster-look', code, message, hint)];
}

type Allowed = Awaited<ReturnType<GitLab['allowedAgents']>>;
type Registration = Pick<AgentFacts, 'agents' | 'settings' | 'allowed'>;

/** The agents that GitLab allows to this job; null: this is no job, or it cannot be asked. */
async function allowedAgents({ context, inJob }: Scene): Promise<Allowed> {
  if (!inJob || context.job.serverUrl === undefined) return null;
  const asked = await attempt(async () => (await context.gitlabJob())?.allowedAgents() ?? null);
  return answerOr(asked, null);
}

/** What GitLab shows of an agent: its project's agents and its settings; nothing without a token. */
async function registration({ token }: Scene, name: string, allowed: Allowed): Promise<Registration> {
  const [, project, agent] = /^([^\s:]+\/[^\s:]+):([^\s:]+)$/.exec(name) ?? [];
  if (project === undefined || agent === undefined) return { agents: null, settings: undefined, allowed: null };
  const named = allowed?.find((one) => one.configProject.toLowerCase() === project.toLowerCase() && one.name === agent);
  if (token === null) return { agents: null, settings: undefined, allowed: named ? true : null };
  const { gitlab } = token;
  const agents = answerOr(await attempt(() => gitlab.agents(project)), null);
  const id = agents?.find((one) => one.name === agent)?.id;
  const may = allowed === null ? null : named !== undefined || allowed.some((one) => one.id === id);
  const seen = answerOr(await attempt(() => gitlab.project(project)), null);
  if (seen === null || seen.defaultBranch === null)
    return { agents: agents?.map((one) => one.name) ?? null, settings: undefined, allowed: may };
  const path = `.gitlab/agents/${agent}/config.yaml`;
  const settings = await attempt(() => gitlab.file(project, path, seen.defaultBranch ?? 'main'));
  return {
    agents: agents?.map((one) => one.name) ?? null,
    settings: 'answer' in settings ? settings.answer : undefined,
    allowed: may,
  };
}

async function credentialSystems({ context, place, token, wants }: Scene): Promise<CredentialSystems> {
  const { url, project, registry } = place;
  const deployTokens =
    token === null || project === null || !wants('credential')
      ? null
      : answerOr(await attempt(() => token.gitlab.deployTokens(project)), null);
  return {
    registry: await context.inspect.registry(),
    gitlabAs: url === null ? null : (secret) => context.inspect.gitlab(url, secret, 'private'),
    gitlabHosts: [registry?.split('/')[0], context.job.registry, url === null ? undefined : new URL(url).host].filter(
      (host) => host !== undefined,
    ),
    deployTokens,
    conceal: (value) => context.inspect.conceal(value),
    clock: context.clock,
  };
}
