import { expect, test } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { Fault } from '../../src/fault.ts';
import { beginCells } from '../../src/sync/begin.ts';
import { deadlinesOf } from '../../src/sync/deadlines.ts';
import type { OwnTimeouts } from '../../src/sync/deadlines.ts';
import { targetsOf } from '../../src/sync/target.ts';
import { artifactOf } from './build.ts';

const minute = 60_000;
const config = parseConfig(
  [
    'version: 1',
    'environments:',
    '  staging: { clusters: [{ name: eu, context: "k:eu" }, { name: far, context: "k:far", notify: [none] }] }',
    'apps:',
    '  plain: {}',
    '  slow: { timeout: 45m }',
    '',
  ].join('\n'),
  'sluice.yaml',
);

async function deadlines(own: OwnTimeouts | undefined): Promise<Readonly<Record<string, number>>> {
  const artifacts = ['plain', 'slow'].map((app) => artifactOf({ app }));
  const place = { commit: 'd'.repeat(40), branch: 'main' };
  const publication = { ...place, project: 'team/delivery', ranges: [], artifacts };
  const targets = targetsOf(publication, config, { environments: [], apps: [] });
  const starts = await beginCells(targets, { ...place, urls: [] }, async () => 'ours');
  const signal = new AbortController().signal;
  const found = await deadlinesOf(starts, { now: 0, deadline: 10 * minute, signal, ...(own ? { own } : {}) });
  return Object.fromEntries([...found].map(([{ cell }, at]) => [`${cell.app} ${cell.cluster}`, at / minute]));
}

const hourly = async () => 60 * minute;

test('a timeout asked for the whole run holds for all', async () => {
  expect(await deadlines(undefined)).toEqual({ 'plain eu': 10, 'plain far': 10, 'slow eu': 10, 'slow far': 10 });
});

test('sluice.yaml before the default; where nobody asks, the source’s interval comes on top of the default', async () => {
  expect(await deadlines({ limit: Infinity, interval: hourly })).toEqual({
    'plain eu': 10,
    'plain far': 70,
    'slow eu': 45,
    'slow far': 45,
  });
});

test('the job’s limit ends all of them', async () => {
  expect(await deadlines({ limit: 10 * minute, interval: hourly })).toEqual({
    'plain eu': 10,
    'plain far': 10,
    'slow eu': 10,
    'slow far': 10,
  });
});

test('a cluster that cannot be read leaves the default', async () => {
  const interval = async () => {
    throw new Fault('cluster_unavailable', 'away');
  };
  expect(await deadlines({ limit: Infinity, interval })).toMatchObject({ 'plain far': 10 });
});
