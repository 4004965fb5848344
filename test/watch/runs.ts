import type { Verdict } from '../../src/watch/verdict.ts';
import { conditions, kustomization, ociRepository, ours, type ConditionWords } from './objects.ts';

/** The revision of a digest under the environment's tag. */
export const at = (digest: string) => `staging@${digest}`;
/** The source with our digest. */
export const source = () => ociRepository(ours);
/** Name of the verdict, or null. */
export const nameOf = (settled: { readonly verdict: Verdict | null }) => settled.verdict?.verdict ?? null;

/** A Kustomization in the middle of things: what was applied, what was attempted, and the conditions of a recorded run. */
export function running(applied: string, attempted: string, words: readonly ConditionWords[], more: object = {}) {
  return kustomization(at(applied), {
    status: { lastAttemptedRevision: at(attempted), observedGeneration: 1, conditions: conditions(...words), ...more },
  });
}

export const reconciling: ConditionWords = ['Reconciling', 'True', 'Progressing', 'Fetching manifests'];
export const healthy: ConditionWords = ['Healthy', 'True', 'Succeeded', 'Health check passed'];
