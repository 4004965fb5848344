import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Fault, faults, type FaultCode } from '../../src/fault.ts';
import { judgeAgent, type AgentFacts } from '../../src/operations/doctor/agent.ts';
import { judgeCleanup } from '../../src/operations/doctor/cleanup.ts';
import { exitOfFindings, judge, sumOfFindings } from '../../src/operations/doctor/finding.ts';
import { judgeReach } from '../../src/operations/doctor/reach.ts';
import { judgeAgentFlux } from '../../src/operations/doctor/receivers.ts';
import { judgeRegistry } from '../../src/operations/doctor/registry.ts';
import { judgeRights } from '../../src/operations/doctor/rights.ts';
import { sharingOf } from '../../src/operations/doctor/sharing.ts';
import { judgeTool, toolNeeds } from '../../src/operations/doctor/tools.ts';
import type { KubernetesObject } from '../../src/systems/cluster.ts';

describe('the exit code', () => {
  const { fault, warn, unknown, ok } = judge('token');
  const codes = Object.keys(faults).filter((code) => faults[code as FaultCode].exit < 100) as FaultCode[];
  test('is 0 without a fault, else the first of 7, 6, 4, 5, 3, 2 that a fault has, in any order', () => {
    expect(exitOfFindings([ok('a', ''), warn('b', '', 'x'), unknown('c', '', 'x')])).toBe(0);
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...codes), { minLength: 1 }), (some) => {
        const exits = new Set(some.map((code) => faults[code].exit));
        const worst = ([7, 6, 4, 5, 3, 2] as const).find((exit) => exits.has(exit));
        expect(exitOfFindings(some.map((code) => fault('x', code, '', 'y')))).toBe(worst);
      }),
    );
  });
  test('the sum is the worst state', () => {
    expect(sumOfFindings([])).toBe('ok');
    expect(sumOfFindings([unknown('a', '', 'x'), warn('b', '', 'x')])).toBe('warn');
    expect(sumOfFindings([warn('a', '', 'x'), fault('b', 'usage', '', 'x')])).toBe('fault');
  });
});

describe('agents', () => {
  const facts: AgentFacts = {
    cluster: 'eu',
    context: 'shop/agents:eu',
    contexts: ['something-else'],
    reached: null,
    agents: ['eu'],
    settings: 'ci_access: { projects: [{ id: shop/delivery }] }',
    allowed: true,
    job: { project: 'shop/delivery', environment: 'staging', ref: 'main', protectedRef: true },
    inJob: true,
  };
  const found = (more: Partial<AgentFacts>) =>
    judgeAgent({ ...facts, ...more }).map(({ id, state }) => `${state} ${id}`);
  test('allowed by GitLab, and yet no context: KUBECONFIG is another', () => {
    expect(found({})).toEqual(['fault kubeconfig-replaced']);
    expect(found({ contexts: null })).toEqual(['fault kubeconfig-replaced']);
  });
  test('not allowed', () => {
    expect(found({ allowed: false })).toEqual(['fault agent-not-shared']);
    expect(found({ allowed: null, agents: null, settings: undefined })).toEqual(['fault agent-not-shared']);
  });
  test('no agent, but a context of some kubeconfig', () => {
    const plain = { context: 'kind-dev', agents: null, settings: undefined, allowed: null };
    expect(found(plain)).toEqual(['fault context-missing']);
    expect(found({ ...plain, inJob: false })).toEqual(['unknown context-unknown']);
    const offline = { fault: new Fault('cluster_unavailable', 'connect ECONNREFUSED') };
    expect(found({ ...plain, contexts: ['kind-dev'], reached: offline })).toEqual(['fault cluster-offline']);
  });
});

describe('sharing', () => {
  const job = { project: 'shop/team/delivery', environment: 'review/7', ref: 'main', protectedRef: true };
  test.each([
    ['the group', 'ci_access: { groups: [{ id: shop/team }] }', true],
    ['a group above', 'ci_access: { groups: [{ id: Shop }] }', true],
    ['another group of that beginning', 'ci_access: { groups: [{ id: shop/te }] }', false],
    [
      'a pattern of environments',
      'ci_access: { projects: [{ id: shop/team/delivery, environments: [review/*] }] }',
      true,
    ],
    [
      'the nearer entry alone counts',
      'ci_access: { projects: [{ id: shop/team/delivery, environments: [staging] }], groups: [{ id: shop }] }',
      false,
    ],
    ['not YAML', 'ci_access: [', false],
    ['nothing', null, false],
  ])('%s', (_, settings, shared) => {
    expect(sharingOf(settings, 'shop/agents', job).shared).toBe(shared);
  });
  test('the agents’ own project needs no entry', () => {
    expect(sharingOf(null, 'shop/team/delivery', job).shared).toBe(true);
  });
});

describe('agentk and Flux’s kinds', () => {
  const repository = (name: string, url: string, created: string) =>
    ({
      kind: 'GitRepository',
      metadata: { name, namespace: 'flux-system', creationTimestamp: created },
      spec: { url },
    }) as unknown as KubernetesObject;
  const facts = {
    cluster: 'eu',
    host: 'gitlab.example.com',
    gitRepositories: [repository('delivery', 'https://gitlab.example.com/shop/delivery.git', '2026-01-01T00:00:00Z')],
    receivers: [],
    agentStarted: null,
    definitionsMade: null,
    now: Date.parse('2026-01-01T01:00:00Z'),
  };
  const ids = (more: Partial<Parameters<typeof judgeAgentFlux>[0]>) =>
    judgeAgentFlux({ ...facts, ...more }).map(({ id }) => id);
  test('a GitRepository of this GitLab for which the agent made no Receiver', () => {
    expect(ids({})).toEqual(['agent-before-flux']);
    const made = {
      kind: 'Receiver',
      metadata: { name: 'gitlab-delivery', namespace: 'flux-system' },
    } as KubernetesObject;
    expect(ids({ receivers: [made] })).toEqual(['agent-flux']);
  });
  test('nothing is said where it is too early, of another GitLab, or may not be read', () => {
    expect(ids({ now: Date.parse('2026-01-01T00:01:00Z') })).toEqual(['agent-flux']);
    expect(ids({ host: 'gitlab.com' })).toEqual([]);
    expect(ids({ receivers: null })).toEqual([]);
  });
});

describe('what is not certain is not said', () => {
  test('a cleanup policy that is not shown, and a pattern of another engine', () => {
    expect(judgeCleanup('shop/delivery', null, []).map(({ state }) => state)).toEqual(['unknown']);
  });
  test('an API server that answers no access reviews', () => {
    const question = { verb: 'list', group: '', resource: 'pods' };
    const [finding] = judgeRights('eu', [{ question, class: 'needed', why: '', allowed: null }], {
      identity: null,
      inJob: true,
    });
    expect(finding).toMatchObject({ state: 'unknown', id: 'rights-unknown' });
  });
  test('a registry that asks for a password tells nothing of pushing', () => {
    const facts = { repository: 'r.example.com/a', known: true, manifest: null, inJob: true } as const;
    const access = { answer: { by: 'password', actions: null } } as const;
    expect(judgeRegistry({ ...facts, access, trial: null }).map(({ id, state }) => `${state} ${id}`)).toEqual([
      'unknown registry-rights',
      'unknown media-types',
    ]);
    expect(judgeRegistry({ ...facts, access, trial: { refused: null } }).map(({ state }) => state)).toEqual(['ok']);
  });
});

test.each([
  ['an old program', judgeTool(toolNeeds[2]!, 'v4.5.7'), 'warn tool-old'],
  ['one built without a version', judgeTool(toolNeeds[2]!, '(devel)'), 'ok tool'],
  [
    'tokens over plain HTTP',
    judgeReach({ url: 'http://gitlab.example.com', status: 401, failure: null, version: null })[0]!,
    'warn gitlab-plain',
  ],
  [
    'an old GitLab',
    judgeReach({ url: 'https://gitlab.example.com', status: 200, failure: null, version: '16.11.2-ee' })[1]!,
    'warn gitlab-old',
  ],
])('%s', (_, { state, id }, wanted) => {
  expect(`${state} ${id}`).toBe(wanted);
});
