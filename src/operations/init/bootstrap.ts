import type { Config } from '../../config/config.ts';
import { allPairs } from '../../config/pair.ts';
import { CLONE_SECRET, PULL_SECRET } from './flux-objects.ts';

/** One step that a person does by hand, once. */
export interface BootstrapStep {
  readonly title: string;
  /** Shell lines, or what to click; no secret is in them. */
  readonly lines: readonly string[];
}

/** What remains to be done by people: Secrets, agents, tokens, the first apply. */
export function bootstrapSteps(input: {
  readonly config: Config;
  readonly project: string;
  readonly registryHost: string;
  /** Cluster → folder with its objects. */
  readonly folders: ReadonlyMap<string, string>;
}): readonly BootstrapStep[] {
  const { config, project, registryHost, folders } = input;
  const kinds = new Set(allPairs(config).map((pair) => pair.source));
  const source = kinds.has('oci') ? 'oci' : 'git';
  const clusters = [
    ...new Map(config.environments.flatMap(({ clusters: all }) => all).map((one) => [one.context, one])).values(),
  ];
  const scope = source === 'oci' ? 'read_registry' : 'read_repository';
  const steps: BootstrapStep[] = [
    {
      title: `Make a deploy token of ${project}: scope ${scope} alone, no end or a long one`,
      lines: ['GitLab: Settings > Repository > Deploy tokens'],
    },
  ];
  for (const { name, context, receiver } of clusters) {
    const [, agentProject, agent] = /^([^\s:]+\/[^\s:]+):([^\s:]+)$/.exec(context) ?? [];
    // An agent's context exists in jobs alone: a person comes with an administrator's kubeconfig.
    const admin = agent === undefined ? `kubectl --context ${quoted(context)}` : 'kubectl';
    const kubectl = `${admin} -n flux-system`;
    const folder = folders.get(name);
    if (agent !== undefined) {
      steps.push({
        title: `${name}: register the agent ${agent} in ${agentProject}, and install it without cluster-admin (its configuration first)`,
        lines: [
          `GitLab: ${agentProject} > Operate > Kubernetes clusters > Connect a cluster > ${agent}`,
          'the helm command that is shown there, with --set rbac.create=false',
        ],
      });
    }
    steps.push({
      title: `${name}: give Flux the deploy token (asked for, and in no argument)`,
      lines:
        source === 'oci'
          ? [
              `oras login ${registryHost} --username 'DEPLOY TOKEN USERNAME' --registry-config pull.json`,
              `${kubectl} create secret generic ${PULL_SECRET} --type kubernetes.io/dockerconfigjson --from-file .dockerconfigjson=pull.json`,
              'rm pull.json',
            ]
          : [
              'cat > password   # the deploy token, then Ctrl-D twice',
              `${kubectl} create secret generic ${CLONE_SECRET} --from-literal username='DEPLOY TOKEN USERNAME' --from-file password`,
              'rm password',
            ],
    });
    if (receiver !== null && receiver.secretEnv !== null) {
      steps.push({
        title: `${name}: make the Receiver's token, and store the same in the CI/CD variable ${receiver.secretEnv} (masked, protected)`,
        lines: [
          'openssl rand -hex 32 | tr -d "\\n" > token',
          `${kubectl} create secret generic ${receiver.name}-receiver --from-file token`,
          `cat token   # into Settings > CI/CD > Variables > ${receiver.secretEnv}`,
          'rm token',
        ],
      });
    }
    if (folder !== undefined)
      steps.push({
        title: `${name}: apply the objects, once, as an administrator of the cluster`,
        lines: [`${admin} apply -f ${folder}`],
      });
  }
  steps.push(
    {
      title: `Store SLUICE_GITLAB_TOKEN in ${project}: a project access token, role Maintainer, scope api`,
      lines: ['GitLab: Settings > Access tokens, then Settings > CI/CD > Variables (masked, protected)'],
    },
    { title: 'Look whether everything is as it should be', lines: ['sluice doctor'] },
  );
  return steps;
}

function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
