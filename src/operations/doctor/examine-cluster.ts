import pMap from 'p-map';
import type { ClusterSettings, Pair } from '../../config/config.ts';
import { chooseSources, type SourceAddress } from '../../notify/source-address.ts';
import type { Secret } from '../../secret.ts';
import type { Clock } from '../../systems/clock.ts';
import type { KubernetesObject } from '../../systems/cluster.ts';
import type { Http } from '../../systems/http.ts';
import type { ClusterInspection } from '../../systems/inspection.ts';
import { answerOr, attempt } from './attempt.ts';
import { objectsIn, objectsOf } from './cluster-objects.ts';
import { examineCredentials, type CredentialSystems } from './examine-credential.ts';
import type { Check, Finding } from './finding.ts';
import { controllers, judgeController, type ControllerName } from './flux.ts';
import { judgePosters } from './posters.ts';
import { judgeAgentFlux, judgeReceiver } from './receivers.ts';
import { judgeRights, rightQuestions } from './rights.ts';
import { judgeSource } from './sources.ts';

/** One cluster of sluice.yaml that answers, and what is delivered to it. */
export interface ClusterExamination {
  readonly cluster: ClusterInspection;
  readonly settings: ClusterSettings;
  /** Pairs of the environments that name the cluster. */
  readonly pairs: readonly Pair[];
  /** Under what addresses Flux may know the delivery repository (`source: git`), and its branch. */
  readonly delivery: { readonly urls: readonly string[]; readonly branch: string };
  /** Host name of GitLab. */
  readonly host: string | null;
  readonly http: Http;
  readonly clock: Clock;
  readonly inJob: boolean;
  readonly secretOf: (variable: string) => Secret | undefined;
  readonly credentials: CredentialSystems;
  readonly wants: (check: Check) => boolean;
}

/** Looks at one cluster: rights, Flux's parts and objects, Receivers, other posters, Flux's credentials. Faults as `Cluster`. */
export async function examineCluster(input: ClusterExamination): Promise<readonly Finding[]> {
  const { cluster, settings, pairs, clock, wants } = input;
  const namespaces = [...new Set(['flux-system', ...pairs.map(({ namespace }) => namespace)])];
  const read = (kind: Parameters<typeof objectsOf>[1]) => objectsOf(cluster, kind, namespaces);
  const [rights, groups, oci, git, kustomizations, releases, receivers, providers, alerts] = await Promise.all([
    wants('rights') ? examineRights(input) : [],
    cluster.apiGroups(),
    read('OCIRepository'),
    read('GitRepository'),
    read('Kustomization'),
    read('HelmRelease'),
    wants('receivers') || wants('flux') ? read('Receiver') : [],
    wants('posters') ? read('Provider') : [],
    wants('posters') ? read('Alert') : [],
  ]);
  const sources = oci === null && git === null ? null : [...(oci ?? []), ...(git ?? [])];
  const consumers =
    kustomizations === null && releases === null ? null : [...(kustomizations ?? []), ...(releases ?? [])];
  const named = pairs.flatMap((pair) => addressesOf(pair, input.delivery));
  const findings: Finding[] = [...rights];
  if (wants('flux')) {
    const deployments = await objectsIn(cluster, 'Deployment', ['flux-system']);
    const needs: Readonly<Record<ControllerName, { needed: boolean; objects: readonly KubernetesObject[] }>> = {
      'source-controller': { needed: true, objects: sources ?? [] },
      'kustomize-controller': {
        needed: (kustomizations ?? []).length > 0 || (releases ?? []).length === 0,
        objects: kustomizations ?? [],
      },
      'helm-controller': { needed: (releases ?? []).length > 0, objects: releases ?? [] },
      'notification-controller': {
        needed: settings.notify.some((way) => way === 'receiver' || way === 'oidc'),
        objects: receivers ?? [],
      },
    };
    for (const name of Object.keys(controllers) as ControllerName[]) {
      const deployment =
        deployments === null ? 'forbidden' : (deployments.find(({ metadata }) => metadata.name === name) ?? 'missing');
      const served = groups.has(controllers[name].group);
      findings.push(judgeController(settings.name, { name, served, deployment, now: clock.now(), ...needs[name] }));
    }
  }
  if (wants('sources')) {
    for (const { name, address, roots, health } of named) {
      const mine = address.source === 'oci' ? oci : git;
      const all = mine === null ? null : mine;
      findings.push(...judgeSource({ cluster: settings.name, name, address, roots, health, sources: all, consumers }));
    }
  }
  if (wants('receivers')) {
    findings.push(
      ...judgeReceiver({
        settings,
        receivers,
        sources: sources ?? [],
        addresses: named.map(({ address }) => address),
        token: settings.receiver?.secretEnv ? (input.secretOf(settings.receiver.secretEnv)?.reveal() ?? null) : null,
        reachable: await reach(input),
        inJob: input.inJob,
      }),
      ...(await examineAgentFlux(input, git ?? [], receivers)),
    );
  }
  if (wants('posters')) {
    const wanted = pairs.some(({ watch }) => watch === 'statuses');
    findings.push(...judgePosters({ cluster: settings.name, providers, alerts: alerts ?? [], wanted }));
  }
  if (wants('credential') && sources !== null) {
    findings.push(...(await examineCredentials(cluster, settings.name, sourcesOf(sources, named), input.credentials)));
  }
  return findings;
}

interface Named {
  readonly name: string;
  readonly address: SourceAddress;
  readonly roots: readonly string[];
  readonly health: Pair['health'];
}

function addressesOf(pair: Pair, delivery: ClusterExamination['delivery']): readonly Named[] {
  return pair.artifacts.map((artifact) => ({
    name: `${pair.environment.name}/${artifact.name}`,
    roots: artifact.roots,
    health: pair.health,
    address: {
      source: pair.source,
      urls: pair.source === 'oci' ? [artifact.repository] : delivery.urls,
      reference: pair.source === 'oci' ? pair.tag : delivery.branch,
      namespace: pair.namespace,
      objects: pair.objects,
    },
  }));
}

function sourcesOf(all: readonly KubernetesObject[], named: readonly Named[]): readonly KubernetesObject[] {
  const wanted = new Set(named.flatMap(({ address }) => chooseSources(all, address)));
  return all.filter((source) => wanted.has(source));
}

async function examineRights({ cluster, settings, pairs, inJob }: ClusterExamination): Promise<readonly Finding[]> {
  const questions = rightQuestions(settings, pairs);
  const identity = answerOr(await attempt(() => cluster.whoAmI()), null);
  const namespaces = [...new Set(pairs.map(({ namespace }) => namespace))];
  const answers = await pMap(
    questions,
    async (one) => {
      const allowed = await cluster.may(one.question);
      if (allowed !== false || one.class !== 'needed' || one.question.namespace !== undefined)
        return { ...one, allowed };
      // Rights in the namespaces of the Flux objects alone are enough.
      const within = await Promise.all(namespaces.map((namespace) => cluster.may({ ...one.question, namespace })));
      return { ...one, allowed: within.every((may) => may === true) };
    },
    { concurrency: 8 },
  );
  return judgeRights(settings.name, answers, { identity: identity?.user ?? null, inJob });
}

async function reach({
  settings,
  http,
}: ClusterExamination): Promise<Parameters<typeof judgeReceiver>[0]['reachable']> {
  const url = settings.receiver?.url;
  if (url === null || url === undefined) return null;
  try {
    return { status: (await http.request(url, { timeoutMs: 10_000 })).status };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return { failure: cause instanceof Error ? cause.message : String(cause) };
  }
}

async function examineAgentFlux(
  { cluster, settings, host, clock }: ClusterExamination,
  gitRepositories: readonly KubernetesObject[],
  receivers: readonly KubernetesObject[] | null,
): Promise<readonly Finding[]> {
  const agent = settings.context.split(':')[1];
  if (agent === undefined || !settings.context.includes('/')) return [];
  const pods = (await objectsIn(cluster, 'Pod', [`gitlab-agent-${agent}`, 'gitlab-agent'])) ?? [];
  const started = pods
    .filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/name'] === 'gitlab-agent')
    .map(({ status }) => Date.parse((status as { startTime?: string } | undefined)?.startTime ?? ''))
    .filter((at) => !Number.isNaN(at));
  const made = await Promise.all(
    ['gitrepositories.source.toolkit.fluxcd.io', 'receivers.notification.toolkit.fluxcd.io'].map((name) =>
      cluster.definitionMade(name),
    ),
  );
  const known = made.filter((at) => at !== null);
  return judgeAgentFlux({
    cluster: settings.name,
    host,
    gitRepositories,
    receivers,
    agentStarted: started.length === 0 ? null : Math.max(...started),
    definitionsMade: known.length < made.length ? null : Math.max(...known),
    now: clock.now(),
  });
}
