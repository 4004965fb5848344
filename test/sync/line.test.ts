import { describe, expect, test } from 'vitest';
import type { PublishedArtifact } from '../../src/artifact/published.ts';
import { linesOf } from '../../src/sync/line.ts';
import { targetsOf } from '../../src/sync/target.ts';
import type { SyncTarget } from '../../src/sync/target.ts';
import { artifactOf, configOf, originOf } from './build.ts';

const commit = 'd'.repeat(40);
const place = { project: 'platform/delivery', commit, branch: 'main', pipelineId: 3 };
const publication = (artifacts: readonly PublishedArtifact[]) => ({
  project: place.project,
  branch: 'main',
  commit,
  ranges: [],
  artifacts,
});
const all = { environments: [], apps: [] };
const origins = (target: SyncTarget) => target.origins;

describe('targets', () => {
  test('only what changed or has an origin', () => {
    const artifacts = [
      artifactOf({ app: 'podinfo' }),
      artifactOf({ app: 'cart', outcome: 'unchanged' }),
      artifactOf({ app: 'web', outcome: 'unchanged', origins: [originOf({ project: 'shop/web' })] }),
      artifactOf({ app: 'db', outcome: 'held' }),
    ];
    const config = configOf({ apps: ['podinfo', 'cart', 'web', 'db'] });
    const names = targetsOf(publication(artifacts), config, all).map(({ pair }) => pair.app.name);
    expect(names).toEqual(['podinfo', 'web', 'db']);
  });

  test('one commit is told once, by its newest pipeline', () => {
    const artifact = artifactOf({ origins: [originOf({ pipeline: 1 }), originOf({ pipeline: 9 }), originOf()] });
    const [target] = targetsOf(publication([artifact]), configOf(), all);
    expect(target?.origins).toEqual([originOf({ pipeline: 11 })]);
  });

  test('the filter is exact, and unknown names are said', () => {
    const artifacts = [artifactOf(), artifactOf({ environment: 'production' })];
    const filter = { environments: ['production'], apps: [] };
    expect(targetsOf(publication(artifacts), configOf(), filter)).toHaveLength(1);
    expect(() => targetsOf(publication([artifactOf({ app: 'gone' })]), configOf(), all)).toThrow('gone');
  });
});

describe('lines', () => {
  const names = (artifacts: readonly PublishedArtifact[], config = configOf()) =>
    linesOf(targetsOf(publication(artifacts), config, all), place, origins).map(
      (line) => `${line.project} ${line.pipelineId} ${line.name}`,
    );

  test('delivery commit and application commit', () => {
    expect(names([artifactOf({ origins: [originOf()] })])).toEqual([
      'shop/podinfo 11 sync: staging/podinfo',
      'platform/delivery 3 sync: staging/podinfo',
    ]);
  });

  test('later environments tell the delivery commit only', () => {
    expect(names([artifactOf({ environment: 'production', origins: [originOf()] })])).toEqual([
      'platform/delivery 3 sync: production/podinfo',
    ]);
  });

  test('several clusters: each and their sum', () => {
    expect(names([artifactOf()], configOf({ wide: true }))).toEqual([
      'platform/delivery 3 sync: staging/podinfo',
      'platform/delivery 3 sync: staging/podinfo/eu',
      'platform/delivery 3 sync: staging/podinfo/us',
    ]);
  });

  test('20 pairs have a status each, 21 one for the environment', () => {
    const apps = Array.from({ length: 21 }, (_, index) => `app-${index}`);
    const config = configOf({ apps });
    const artifacts = apps.map((app) => artifactOf({ app }));
    expect(names(artifacts.slice(1), config)).toHaveLength(20);
    expect(names(artifacts, config)).toEqual(['platform/delivery 3 sync: staging']);
  });

  test('a line covers its cells and no others', () => {
    const [sum, eu] = linesOf(targetsOf(publication([artifactOf()]), configOf({ wide: true }), all), place, origins);
    const cell = { environment: 'staging', app: 'podinfo', cluster: 'us' };
    expect([sum!.covers(cell), eu!.covers(cell)]).toEqual([true, false]);
    expect(sum!.covers({ ...cell, environment: 'production' })).toBe(false);
  });

  test('where application and delivery are one project, one status is enough', () => {
    const artifact = artifactOf({ origins: [originOf({ project: place.project, commit })] });
    const lines = linesOf(targetsOf(publication([artifact]), configOf(), all), place, origins);
    expect(lines.map(({ app, pipelineId }) => [app, pipelineId])).toEqual([[null, 3]]);
  });
});
