import type { ClusterSettings } from '../../config/config.ts';
import { fitOf, type SourceAddress } from '../../notify/source-address.ts';
import { webhookPath } from '../../notify/receiver.ts';
import type { KubernetesObject } from '../../systems/cluster.ts';
import { judge, type Finding, type Judge } from './finding.ts';
import { nameOf, readyOf } from './sources.ts';

/** What is known of the Receivers of one cluster. */
export interface ReceiverFacts {
  readonly settings: ClusterSettings;
  /** All Receivers that may be read; null: none may. */
  readonly receivers: readonly KubernetesObject[] | null;
  /** All sources that may be read. */
  readonly sources: readonly KubernetesObject[];
  readonly addresses: readonly SourceAddress[];
  /** Value of the Receiver's variable; null where it is not set. */
  readonly token: string | null;
  /** Whether the Receiver's own address answers; null: not asked (service proxy). */
  readonly reachable: { readonly status: number } | { readonly failure: string } | null;
  readonly inJob: boolean;
}

/** Judges the Receiver that sluice.yaml names: there, ready, of that type, with that token, on our sources. */
export function judgeReceiver(facts: ReceiverFacts): readonly Finding[] {
  const { settings, receivers, token, reachable } = facts;
  const { receiver } = settings;
  const at = judge('receivers', settings.name);
  if (receiver === null || !settings.notify.some((way) => way === 'receiver' || way === 'oidc')) return [];
  const place = `Receiver ${receiver.namespace}/${receiver.name}`;
  const findings: Finding[] = [];
  if (reachable !== null && 'failure' in reachable) {
    findings.push(
      at.fault(
        'receiver-unreachable',
        'cluster_unavailable',
        `${receiver.url} does not answer: ${reachable.failure}`,
        `Correct receiver.url in sluice.yaml, or open the way to the service webhook-receiver.`,
      ),
    );
  }
  if (receiver.secretEnv !== null && token === null) {
    findings.push(
      facts.inJob
        ? at.fault(
            'receiver-token',
            'token_missing',
            `${receiver.secretEnv} is not set, and ${place} needs it`,
            `Store the token of ${place}’s Secret in the CI/CD variable ${receiver.secretEnv} (masked, protected).`,
          )
        : at.unknown(
            'receiver-token',
            `${receiver.secretEnv} is not set here`,
            `Give ${receiver.secretEnv}, or run doctor in a job.`,
          ),
    );
  }
  if (receivers === null) {
    findings.push(
      at.unknown('receiver-unknown', `${place} may not be read`, 'Run doctor with an administrator’s kubeconfig.'),
    );
    return findings;
  }
  const found = receivers.find(
    ({ metadata }) => metadata.name === receiver.name && metadata.namespace === receiver.namespace,
  );
  if (!found) {
    findings.push(
      at.fault(
        'receiver-missing',
        'cluster_failed',
        `there is no ${place}`,
        `Apply it (sluice init writes it), or take \`receiver\` out of sluice.yaml.`,
      ),
    );
    return findings;
  }
  return [...findings, ...judgeObject(found, facts, at)];
}

function judgeObject(
  found: KubernetesObject,
  { settings, sources, addresses, token }: ReceiverFacts,
  at: Judge,
): readonly Finding[] {
  const { receiver } = settings;
  if (receiver === null) return [];
  const spec = (found.spec ?? {}) as { type?: string; suspend?: boolean; resources?: readonly Resource[] };
  if (spec.type !== receiver.type) {
    return [
      at.fault(
        'receiver-type',
        'cluster_failed',
        `${nameOf(found)} is of type ${spec.type}, sluice.yaml says ${receiver.type}`,
        `Set receiver.type in sluice.yaml to what the cluster has, one of generic-hmac, gitlab, generic-oidc.`,
      ),
    ];
  }
  if (spec.suspend === true)
    return [
      at.fault(
        'receiver-suspended',
        'cluster_failed',
        `${nameOf(found)} is suspended`,
        `flux resume receiver ${found.metadata.name} -n ${found.metadata.namespace}`,
      ),
    ];
  const ready = readyOf(found);
  if (ready?.status === 'False')
    return [
      at.fault(
        'receiver-failing',
        'cluster_failed',
        `${nameOf(found)}: ${ready.message}`,
        'Correct what it says; its Secret needs the key `token`.',
      ),
    ];
  const path = found.status?.['webhookPath'];
  const expected = receiver.type === 'generic-oidc' ? '' : token;
  if (
    typeof path === 'string' &&
    expected !== null &&
    webhookPath(expected, receiver.name, receiver.namespace) !== path
  ) {
    return [
      at.fault(
        'receiver-path',
        'cluster_failed',
        `the webhook path of ${nameOf(found)} is another than ${receiver.secretEnv ?? 'its type'} gives: its Secret holds another token`,
        `Store the token of its Secret in ${receiver.secretEnv ?? 'secret_env'}.`,
      ),
    ];
  }
  const missed = addresses.filter(
    (address) =>
      !sources.some(
        (source) =>
          fitOf(source, address) === 'follows' && (spec.resources ?? []).some((one) => matches(one, source, found)),
      ),
  );
  if (sources.length > 0 && missed.length > 0) {
    const one = missed[0];
    return [
      at.fault(
        'receiver-resources',
        'cluster_failed',
        `${nameOf(found)} does not list the source of ${one?.urls[0] ?? ''}, ${one?.reference ?? ''}`,
        `Add it to spec.resources of ${nameOf(found)}.`,
      ),
    ];
  }
  return [
    at.ok(
      'receiver',
      `${nameOf(found)} is ready${typeof path === 'string' ? ', its webhook path is the one that sync calls' : ''}`,
    ),
  ];
}

interface Resource {
  readonly kind?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly matchLabels?: Readonly<Record<string, string>>;
}

function matches(resource: Resource, source: KubernetesObject, receiver: KubernetesObject): boolean {
  if (resource.kind !== source.kind) return false;
  if ((resource.namespace ?? receiver.metadata.namespace) !== source.metadata.namespace) return false;
  if (resource.name !== '*') return resource.name === source.metadata.name;
  // notification-controller answers 500 to `*` without labels (internal/server/receiver_handlers.go).
  if (resource.matchLabels === undefined) return false;
  return Object.entries(resource.matchLabels).every(([key, value]) => source.metadata.labels?.[key] === value);
}

/** What the agent's own part for Flux leaves behind. */
export interface AgentFluxFacts {
  readonly cluster: string;
  /** Host name of GitLab. */
  readonly host: string | null;
  readonly gitRepositories: readonly KubernetesObject[];
  readonly receivers: readonly KubernetesObject[] | null;
  /** When the pods of agentk started, and when Flux's kinds were made; milliseconds, null where not to be seen. */
  readonly agentStarted: number | null;
  readonly definitionsMade: number | null;
  readonly now: number;
}

/** A Receiver appears within a minute of its GitRepository. */
const GRACE_MS = 300_000;

/**
 * agentk looks for Flux's kinds once, when it starts: started before them it never makes its Receivers, and pushes wait
 * for the interval (gitlab-agent internal/module/flux; GitRepositories only).
 */
export function judgeAgentFlux(facts: AgentFluxFacts): readonly Finding[] {
  const { cluster, host, gitRepositories, receivers, agentStarted, definitionsMade, now } = facts;
  const at = judge('receivers', cluster);
  const repair =
    'Restart agentk once: kubectl -n <its namespace> rollout restart deploy -l app.kubernetes.io/name=gitlab-agent.';
  const mine = gitRepositories.filter((object) => host !== null && hostOf(object) === host);
  const bare = mine.filter(({ metadata }) => {
    const created = Date.parse((metadata as { creationTimestamp?: string }).creationTimestamp ?? '');
    const made = receivers?.some(
      (one) => one.metadata.name === `gitlab-${metadata.name}` && one.metadata.namespace === metadata.namespace,
    );
    return made === false && !Number.isNaN(created) && now - created > GRACE_MS;
  });
  const before = agentStarted !== null && definitionsMade !== null && agentStarted < definitionsMade;
  if (before || bare.length > 0) {
    const why = before
      ? 'agentk started before Flux’s kinds were there, and looks for them only when it starts'
      : `the agent made no Receiver for ${bare.map(nameOf).join(', ')}: it started before Flux’s kinds were there, or may not write Receivers`;
    return [at.fault('agent-before-flux', 'cluster_failed', `${why}; pushes to Git wait for the interval`, repair)];
  }
  return mine.length > 0 && receivers !== null
    ? [
        at.ok(
          'agent-flux',
          `the agent made its Receivers for ${mine.length === 1 ? 'the GitRepository' : `${mine.length} GitRepositories`} of this GitLab`,
        ),
      ]
    : [];
}

function hostOf({ spec }: KubernetesObject): string | null {
  const url = spec?.['url'];
  if (typeof url !== 'string') return null;
  return URL.canParse(url) ? new URL(url).hostname : null;
}
