import type { ClusterSettings, Pair } from '../../config/config.ts';
import type { AccessQuestion } from '../../systems/inspection.ts';
import { judge, type Finding } from './finding.ts';

/** One question to RBAC and why it is asked. */
export interface RightQuestion {
  readonly question: AccessQuestion;
  /** needed: without it the chain breaks · useful: only causes are lost · excess: sluice never needs it. */
  readonly class: 'needed' | 'useful' | 'excess';
  readonly why: string;
}

/** A question with RBAC's answer; null: the API server does not answer such questions. */
export interface AnsweredRight extends RightQuestion {
  readonly allowed: boolean | null;
}

const SOURCE = 'source.toolkit.fluxcd.io';
const READ = ['get', 'list', 'watch'] as const;

/** What a job may be asked to do in a cluster by sluice.yaml, and what it should not be able to do. */
export function rightQuestions(settings: ClusterSettings, pairs: readonly Pair[]): readonly RightQuestion[] {
  const read = (group: string, resource: string, why: string, wanted: 'needed' | 'useful' = 'needed') =>
    READ.map((verb): RightQuestion => ({ question: { verb, group, resource }, class: wanted, why }));
  const watched = pairs.filter(({ watch }) => watch === 'cluster');
  const sources = [...new Set(watched.map(({ source }) => (source === 'oci' ? 'ocirepositories' : 'gitrepositories')))];
  const namespaces = [...new Set(pairs.map(({ namespace }) => namespace))];
  const { receiver } = settings;
  const proxied = settings.notify.includes('receiver') && receiver !== null && receiver.url === null;
  return [
    ...sources.flatMap((resource) => read(SOURCE, resource, 'sync sees what Flux has fetched')),
    ...(watched.length === 0
      ? []
      : [
          ...read('kustomize.toolkit.fluxcd.io', 'kustomizations', 'sync sees what Flux has applied'),
          ...read('helm.toolkit.fluxcd.io', 'helmreleases', 'sync sees what Flux has applied'),
        ]),
    // Where a Receiver comes first, annotating is only what is left when it does not answer.
    ...(settings.notify[0] === 'annotate'
      ? sources.flatMap((resource) =>
          namespaces.map((namespace): RightQuestion => ({
            question: { verb: 'patch', group: SOURCE, resource, namespace },
            class: 'needed',
            why: 'sync asks Flux to look now',
          })),
        )
      : []),
    ...(proxied
      ? [
          {
            question: {
              verb: 'create',
              group: '',
              resource: 'services',
              subresource: 'proxy',
              namespace: receiver.namespace,
              name: 'http:webhook-receiver:80',
            },
            class: 'needed',
            why: 'sync calls the Receiver through the API server',
          } satisfies RightQuestion,
        ]
      : []),
    ...(watched.length === 0
      ? []
      : [
          ...read('apps', 'deployments', 'health of what Flux does not wait for', 'useful'),
          ...read('', 'pods', 'the first cause of a failure', 'useful'),
          ...read('', 'events', 'the first cause of a failure', 'useful'),
        ]),
    ...[...EXCESS, ...namespaces.flatMap((namespace) => EXCESS_IN.map((question) => ({ ...question, namespace })))].map(
      (question): RightQuestion => ({ question, class: 'excess', why: 'sluice never does this' }),
    ),
  ];
}

/** What a job that is taken over could do harm with. */
const EXCESS: readonly AccessQuestion[] = [
  { verb: '*', group: '*', resource: '*' },
  { verb: 'list', group: '', resource: 'secrets' },
  { verb: 'create', group: 'apps', resource: 'deployments' },
  { verb: 'patch', group: 'apps', resource: 'deployments' },
  { verb: 'delete', group: 'apps', resource: 'deployments' },
  { verb: 'create', group: '', resource: 'pods' },
  { verb: 'create', group: '', resource: 'pods', subresource: 'exec' },
  { verb: 'create', group: 'kustomize.toolkit.fluxcd.io', resource: 'kustomizations' },
  { verb: 'create', group: SOURCE, resource: 'ocirepositories' },
  { verb: 'delete', group: SOURCE, resource: 'ocirepositories' },
  { verb: 'create', group: 'rbac.authorization.k8s.io', resource: 'clusterrolebindings' },
  { verb: 'impersonate', group: '', resource: 'users' },
];

/** The same within the namespace of the Flux objects, for whom nothing wider is bound. */
const EXCESS_IN: readonly AccessQuestion[] = [
  { verb: 'get', group: '', resource: 'secrets' },
  { verb: 'create', group: '', resource: 'secrets' },
  { verb: 'create', group: '', resource: 'pods' },
  { verb: 'patch', group: 'apps', resource: 'deployments' },
  { verb: 'create', group: 'kustomize.toolkit.fluxcd.io', resource: 'kustomizations' },
  { verb: 'create', group: SOURCE, resource: 'ocirepositories' },
  { verb: 'delete', group: SOURCE, resource: 'ocirepositories' },
  { verb: 'create', group: 'rbac.authorization.k8s.io', resource: 'rolebindings' },
];

const ROLES = 'examples/agent-config/rbac/sluice.yaml';

/** Judges what RBAC answered: too little breaks sync, too much makes a job dangerous. `identity`: who the cluster sees. */
export function judgeRights(
  cluster: string,
  answers: readonly AnsweredRight[],
  { identity, inJob }: { readonly identity: string | null; readonly inJob: boolean },
): readonly Finding[] {
  const { ok, warn, fault, unknown } = judge('rights', cluster);
  const who = identity ?? 'the credential';
  if (answers.every(({ allowed }) => allowed === null)) {
    return [
      unknown(
        'rights-unknown',
        'the API server does not answer what the credential may do',
        'Run kubectl auth can-i --list as the job.',
      ),
    ];
  }
  const of = (kind: RightQuestion['class'], allowed: boolean) =>
    answers.filter((answer) => answer.class === kind && answer.allowed === allowed);
  const missing = of('needed', false);
  const findings: Finding[] = [];
  if (missing.length > 0) {
    const lost = [...new Set(missing.map(({ why }) => why))].join('; ');
    findings.push(
      fault(
        'rights-missing',
        'verdict_unknown',
        `${who} may not ${listed(missing)} (${lost})`,
        `Apply the roles of ${ROLES} and bind them to ${who} (kubectl apply, once, as an administrator).`,
      ),
    );
  } else findings.push(ok('rights', `${who} may do what sluice needs`));
  const blind = of('useful', false);
  if (blind.length > 0) {
    findings.push(
      warn(
        'rights-causes',
        `${who} may not ${listed(blind)}: ${[...new Set(blind.map(({ why }) => why))].join(' and ')} stays unknown`,
        `Bind the role sluice-watch of ${ROLES}.`,
      ),
    );
  }
  const wide = of('excess', true);
  // What is allowed everywhere is allowed in a namespace too, and told once.
  const excess = wide.filter(
    ({ question }) =>
      question.namespace === undefined ||
      !wide.some(
        (other) =>
          other.question.namespace === undefined &&
          other.question.verb === question.verb &&
          resourceName({ ...other.question, namespace: question.namespace! }) === resourceName(question),
      ),
  );
  if (excess.length > 0) {
    const message = `${who} may ${excess.some(({ question }) => question.verb === '*') ? 'do everything' : listed(excess)}, and sluice needs none of it`;
    findings.push(
      inJob || isJob(identity)
        ? fault(
            'rights-excess',
            'token_refused',
            `${message}: whoever writes a pipeline can do it too`,
            `Take the wide binding away (the agent's chart: --set rbac.create=false), and bind the roles of ${ROLES} instead.`,
          )
        : warn(
            'rights-excess',
            `${message}; right for an administrator, not for a job`,
            'Look with a job’s credential: run doctor in a job.',
          ),
    );
  }
  return findings;
}

/** Is it a job or an agent that the cluster sees? */
function isJob(identity: string | null): boolean {
  return identity !== null && /^gitlab:|gitlab-agent/.test(identity);
}

/** "get and list x, patch y". */
function listed(rights: readonly RightQuestion[]): string {
  const groups = Map.groupBy(rights, ({ question }) => resourceName(question));
  return [...groups]
    .map(([name, all]) => `${[...new Set(all.map(({ question }) => question.verb))].join('/')} ${name}`)
    .join(', ');
}

function resourceName({ resource, subresource, namespace }: AccessQuestion): string {
  return `${resource}${subresource === undefined ? '' : `/${subresource}`}${namespace === undefined ? '' : ` in ${namespace}`}`;
}
