import { sampleApp } from '../../sandbox/cluster-world.ts';
import type { Stage, raise } from './stage.ts';

/**
 * What is true in the end of the version that was delivered: `healthy` · `broken`: it will not come up by itself ·
 * `replaced`: another version without its values took over · `undecided`: nothing is known in time.
 */
export type Truth = 'healthy' | 'broken' | 'replaced' | 'undecided';

export interface Played {
  readonly wanted: string;
  /** Index of the delivery commit. */
  readonly commit: number;
  /** Goes on while the answer is awaited. */
  readonly meanwhile?: () => Promise<void>;
}

export interface Trap {
  /** Numbers of the traps that it shows. */
  readonly traps: string;
  readonly story: string;
  readonly truth: Truth;
  readonly setUp?: Parameters<typeof raise>[1];
  /** Do newer revisions still hold our values? Default true. */
  readonly holds?: boolean;
  readonly timeoutMs?: number;
  /** Ways to ask Flux, and Receiver, as of a cluster in sluice.yaml (YAML); default: by annotation. */
  readonly cluster?: (stage: Stage) => string;
  play(stage: Stage): Promise<Played>;
}

/** Delivers files as commit 1. */
export const deliver = async (stage: Stage, files: Readonly<Record<string, string>>): Promise<Played> => ({
  wanted: await stage.deliver(files, 1),
  commit: 1,
});
/** Delivers the sample app with this tag. */
export const version = (tag: string) => (stage: Stage) => deliver(stage, sampleApp(tag));
export const pause = async (ms: number) =>
  new Promise<void>((resolve) => {
    setTimeout(resolve, ms);
  });
