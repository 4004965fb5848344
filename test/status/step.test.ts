import { describe, expect, test } from 'vitest';
import type { PublishedArtifact } from '../../src/artifact/published.ts';
import { outcomeOfPublish, outcomeOfVerdict, stateOfOutcome, worstOutcome } from '../../src/status/outcome.ts';
import { choosePipeline } from '../../src/status/pipeline.ts';
import type { StatusState } from '../../src/status/report.ts';
import { standingStatus, stepTo } from '../../src/status/step.ts';
import type { VerdictName } from '../../src/watch/verdict.ts';

const states: readonly StatusState[] = ['pending', 'running', 'success', 'failed', 'canceled', 'skipped'];

describe('steps', () => {
  /** GitLab's answers, see reference of app/models/commit_status.rb: what it refuses must never be posted. */
  const refused = ['pending pending', 'running pending', 'running running', 'running skipped'];
  test('nothing is posted that GitLab would refuse', () => {
    const posted = states.flatMap((standing) =>
      states.filter((wanted) => stepTo(standing, wanted) === 'post').map((wanted) => `${standing} ${wanted}`),
    );
    const allowed = states
      .flatMap((standing) => states.map((wanted) => `${standing} ${wanted}`))
      .filter((step) => !refused.includes(step) && step.split(' ')[0] !== step.split(' ')[1]);
    expect(posted).toEqual(allowed);
  });

  test('a final state that stands is not posted again, a first one always is', () => {
    for (const state of states) {
      expect(stepTo(state, state)).toBe('done');
      expect(stepTo(null, state)).toBe('post');
    }
  });
});

describe('the standing row', () => {
  const row = (id: number, more: object = {}) => ({
    id,
    name: 'sync: a/b',
    state: 'running' as const,
    pipelineId: 1,
    author: 'bot',
    ...more,
  });
  test('newest of name, pipeline and bot', () => {
    const rows = [row(1), row(3, { author: 'other' }), row(2), row(9, { pipelineId: 2 }), row(8, { name: 'sync: a' })];
    expect(standingStatus(rows, 'sync: a/b', 1, 'bot')?.id).toBe(2);
    expect(standingStatus(rows, 'sync: a/b', 1, null)?.id).toBe(3);
    expect(standingStatus(rows, 'sync: a/b', null, 'bot')?.id).toBe(9);
    expect(standingStatus(rows, 'sync: a/c', 1, 'bot')).toBeNull();
  });

  test('servers that say neither pipeline nor author', () => {
    expect(standingStatus([row(4, { pipelineId: null, author: null })], 'sync: a/b', 1, 'bot')?.id).toBe(4);
  });
});

describe('the pipeline found anew', () => {
  const pipeline = (id: number, source: string) => ({
    id,
    source,
    sha: '',
    ref: '',
    status: '',
    webUrl: '',
    yamlErrors: null,
    finishedAt: null,
  });
  const all = [pipeline(1, 'push'), pipeline(4, 'external'), pipeline(2, 'merge_request_event'), pipeline(3, 'push')];
  test('an open merge request’s own before the branch’s, a child never', () => {
    expect(choosePipeline(all, true, null)?.id).toBe(2);
    expect(choosePipeline(all, false, null)?.id).toBe(3);
    expect(choosePipeline(all, false, 3)?.id).toBe(2);
    expect(choosePipeline([pipeline(9, 'parent_pipeline'), pipeline(4, 'external')], false, null)?.id).toBe(4);
    expect(choosePipeline([pipeline(9, 'parent_pipeline')], true, null)).toBeNull();
  });
});

describe('verdict, state, exit', () => {
  test.each([
    ['synced', 'success', 0],
    ['superseded', 'canceled', 0],
    ['failed', 'failed', 4],
    ['suspended', 'failed', 4],
    ['unconsumed', 'failed', 4],
    ['timed-out', 'failed', 5],
    ['unknown', 'failed', 5],
  ] as const)('%s is %s, exit %i', (verdict: VerdictName, state, exit) => {
    const outcome = outcomeOfVerdict({ verdict, reason: 'R', message: 'm', objects: [] });
    expect([stateOfOutcome(outcome.outcome), outcome.exit]).toEqual([state, exit]);
  });

  const published = (outcome: PublishedArtifact['outcome'], more: Partial<PublishedArtifact> = {}) =>
    outcomeOfPublish({
      app: 'a',
      artifact: 'a',
      environment: 'e',
      repository: 'r',
      tags: [],
      digest: null,
      contentDigest: null,
      revision: '',
      source: 'oci',
      outcome,
      reason: 'why',
      origins: [],
      ...more,
    });
  test('publish’s own words', () => {
    expect(published('held')).toMatchObject({ outcome: 'held', exit: 3, message: 'why' });
    expect(stateOfOutcome('held')).toBe('skipped');
    expect(published('refused')).toMatchObject({ outcome: 'refused', exit: 3 });
    expect(stateOfOutcome('refused')).toBe('failed');
    const fault = { code: 'token_refused', message: 'denied', hint: '', docs: '' } as const;
    expect(published('failed', { fault })).toMatchObject({ outcome: 'unpublished', exit: 7, message: 'denied' });
    for (const outcome of ['pushed', 'unchanged', 'superseded'] as const) expect(published(outcome)).toBeNull();
  });

  test('the worst of several comes first', () => {
    const outcome = (name: VerdictName) => outcomeOfVerdict({ verdict: name, reason: '', message: name, objects: [] });
    const order = ['failed', 'suspended', 'unconsumed', 'unknown', 'timed-out', 'superseded', 'synced'] as const;
    for (let index = 0; index < order.length; index += 1)
      expect(worstOutcome(order.slice(index).toReversed().map(outcome))?.outcome).toBe(order[index]);
    expect(worstOutcome([])).toBeNull();
  });
});
