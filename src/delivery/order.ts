import type { AppChange, ImageChange, Origin } from '../app/change.ts';
import type { Config, Pair } from '../config/config.ts';
import type { Clock } from '../systems/clock.ts';
import type { DeliveryClone } from '../systems/git-remote.ts';
import type { Past } from './past.ts';
import type { TipCache, Tip } from './tip.ts';

/** What is to be delivered by one commit. */
export interface Order {
  readonly changes: readonly Pick<AppChange, 'app' | 'images' | 'values'>[];
  readonly environments: readonly string[];
  readonly origin: Origin | null;
  /** Creation of the origin's pipeline, milliseconds since the epoch; null: not known. */
  readonly pipelineCreatedAt: number | null;
  readonly allowOlder: boolean;
  /** A trigger brought it: anybody who has seen it may send it again, so what it brought once it brings no second time. */
  readonly once?: boolean;
  /** Path of the delivery project, or its URL. */
  readonly project: string;
  /** How tag and digest are written, instead of what sluice.yaml says; null: as it says. */
  readonly pin: Pair['pin'];
  /** Only plan. */
  readonly dryRun: boolean;
  /** sluice.yaml as it stands in a commit. */
  config(tip: Tip): Promise<Config>;
  /** The images with tag and digest as far as `pin` needs them. */
  pinned(images: readonly ImageChange[], pin: Pair['pin']): Promise<readonly ImageChange[]>;
  /** Rejects with a Fault where the images must not be delivered; asked before the first push. */
  verified(): Promise<void>;
}

/** What a delivery works with. */
export interface Workplace {
  readonly clone: DeliveryClone;
  readonly cache: TipCache;
  readonly past: Past;
  readonly clock: Clock;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
  readonly signal: AbortSignal;
  /** Told what happens on the way. */
  note(text: string): void;
}
