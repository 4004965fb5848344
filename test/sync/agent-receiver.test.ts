import { expect, test } from 'vitest';
import type { Context } from '../../runner/context.ts';
import { followIn } from '../../runner/commands/sync.follow.ts';
import type { GitRepository } from '../../src/systems/git.ts';
import { connectCluster } from '../../src/systems/cluster-kubernetes.ts';
import { fastClock } from '../doubles/fast-clock.ts';
import { startKubernetes } from '../doubles/kubernetes.ts';
import { podinfoFromGit } from '../watch/look.ts';
import { agentReceiver, formerCommit, gitRepository, kustomization, ourCommit } from '../watch/objects.ts';
import { config } from './run.ts';

test.each([
  [ourCommit, true],
  [formerCommit, false],
])('a source at %s: what GitLab’s agent did of it is told', async (commit, moved) => {
  const kubernetes = await startKubernetes();
  try {
    const spec = { sourceRef: { kind: 'GitRepository', name: 'delivery' }, path: './apps/podinfo/staging' };
    kubernetes.put(gitRepository(commit));
    kubernetes.put(kustomization(`main@sha1:${commit}`, { spec }));
    kubernetes.put(agentReceiver);
    const clock = fastClock(1);
    const said: string[] = [];
    const note = (text: string) => void said.push(text);
    const context = {
      cluster: async (name: string) => connectCluster({ name, context: 'other', kubeconfig: kubernetes.kubeconfig }),
      clock,
      reporter: { info: note, warn: note },
      job: {},
      secret: () => undefined,
    } as unknown as Context;
    const follow = followIn(context, {} as GitRepository, async () => 'unrelated');
    const [settings] = config.environments[0]!.clusters;
    const deadline = clock.now() + (moved ? 30_000 : 1_500);
    for await (const { verdict } of follow(settings!, [podinfoFromGit], deadline, new AbortController().signal))
      if (verdict) expect(verdict.verdict).toBe(moved ? 'synced' : 'timed-out');
    expect(said.join('\n')).toMatch(
      moved
        ? /had the commit without being asked: the agent’s own Receiver gitlab-delivery moves it/
        : /asked GitRepository [^\n]+ by annotate\n +not by receiver: the agent’s own Receiver gitlab-delivery has not moved it/,
    );
  } finally {
    await kubernetes.stop();
  }
});
