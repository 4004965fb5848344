import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gitlabWorld } from '../status/world.ts';
import type { GitLabWorld } from '../status/world.ts';
import { reconcileWithSource } from './truth/naive.ts';
import { chainTraps } from './truth/chain-traps.ts';
import { tellingTraps } from './truth/telling-traps.ts';
import { revisionTraps } from './truth/revision-traps.ts';
import type { Trap } from './truth/trap.ts';
import { gitlabProvider } from '../status/gitlab-provider.ts';
import { raise, syncOn } from './truth/stage.ts';
import { isFalseGreen, isFalseRed, isLostRed, truthPage } from './truth/table.ts';
import type { Row } from './truth/table.ts';

/** The traps of Flux that a cluster can show, each with its script. */
const traps = [...revisionTraps, ...chainTraps, ...tellingTraps];
const rows = new Map<Trap, Row>();
let gitlab: GitLabWorld;
beforeAll(async () => {
  gitlab = await gitlabWorld();
});
afterAll(() => gitlab[Symbol.asyncDispose]());

/** Three commits of the delivery repository, new for every row. */
async function newCommits(label: string): Promise<readonly string[]> {
  const commits: string[] = [];
  for (const step of ['1', '2', '3'])
    commits.push(
      await gitlab.server.seed('team/delivery', new Map([['app.yaml', `${label}: ${step}\n`]]), `${label} ${step}`, {
        pipeline: false,
      }),
    );
  return commits;
}

/** A job that waits for Ready, in a world of its own: whoever asks Flux changes what happens. */
async function naive(trap: Trap, commits: readonly string[]): Promise<Row['naive']> {
  const stage = await raise(commits, trap.setUp ?? {}, []);
  const { meanwhile } = await trap.play(stage);
  const beside = meanwhile?.().catch(() => undefined);
  const answer = await reconcileWithSource(stage.cluster, 'app');
  await beside;
  return answer;
}

async function ours(trap: Trap, commits: readonly string[]): Promise<Omit<Row, 'trap' | 'naive'>> {
  const stage = await raise(commits, trap.setUp ?? {}, gitlabProvider(gitlab.server));
  const played = await trap.play(stage);
  const beside = played.meanwhile?.();
  const result = await syncOn(stage, gitlab, {
    ...played,
    holds: trap.holds ?? true,
    timeoutMs: trap.timeoutMs ?? 25_000,
    cluster: trap.cluster?.(stage),
  });
  await beside;
  // Sends what it has still to send.
  await stage.cluster.stop();
  const commit = commits[played.commit]!;
  const statuses = [
    ...(await gitlab.gitlab.statuses('team/delivery', commit)),
    ...(await gitlab.gitlab.statuses('team/podinfo', gitlab.origin)),
  ];
  const flux = gitlab.events.filter((event) => event.sha === commit && !event.name.startsWith('sync: '));
  return {
    provider: [...new Set(flux.map(({ state }) => state))],
    verdict: result.outcome,
    exit: result.exit,
    state: statuses.find(({ name }) => name === 'sync: staging/app')?.state ?? 'none',
    message: result.pairs[0]?.message ?? '',
    open: statuses.filter(({ state, name }) => name.startsWith('sync: ') && ['pending', 'running'].includes(state))
      .length,
  };
}

describe('the truth table', () => {
  test.each(traps.map((trap, index) => ({ trap, index, name: `${trap.traps}: ${trap.story}` })))(
    '$name',
    async ({ trap, index }) => {
      const commits = await newCommits(`row-${index}`);
      const [answer, told] = await Promise.all([naive(trap, commits), ours(trap, commits)]);
      const row = { trap, naive: answer, ...told };
      rows.set(trap, row);
      expect([isFalseGreen(row), isLostRed(row), isFalseRed(row), row.open], row.message).toEqual([
        false,
        false,
        false,
        0,
      ]);
    },
  );

  test('is the one in docs (written anew by vitest --update)', async () => {
    expect(rows.size).toBe(traps.length);
    await expect(truthPage([...rows.values()])).toMatchFileSnapshot('../../docs/truth-table.md');
  });
});
