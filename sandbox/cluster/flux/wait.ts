import { goDuration } from './duration.ts';
import { type Health, healthOf } from './health.ts';
import type { Resource } from '../store/kinds.ts';
import type { World } from './world.ts';

/** An object whose health is waited for. */
export interface Awaited {
  readonly resource: Resource;
  readonly namespace: string | null;
  readonly name: string;
}

/** How waiting ended. `message` is Flux's, without the "health check failed after" part. */
export type Waited =
  | { readonly outcome: 'healthy'; readonly took: string }
  | { readonly outcome: 'failed' | 'canceled'; readonly took: string; readonly message: string };

/** How often kustomize- and helm-controller look, in milliseconds of the real ones. */
const poll = 5_000;

/**
 * Waits until all are Current, one is Failed, the timeout (milliseconds, unscaled) is over, or `isSuperseded` says so.
 * Looks at once, then every 5 s of the real Flux's time.
 */
export async function waitForHealth(
  world: World,
  objects: readonly Awaited[],
  timeout: number,
  signal: AbortSignal,
  isSuperseded: () => string | null,
): Promise<Waited> {
  const began = performance.now();
  const took = () => goDuration((performance.now() - began) / (world.scaled(1000) / 1000));
  const shown = (found: readonly { readonly one: Awaited; readonly health: Health }[]) =>
    found
      .map(
        ({ one, health }) =>
          `${one.resource.kind}/${one.namespace === null ? '' : `${one.namespace}/`}${one.name} status: '${health}'`,
      )
      .join(', ');
  let waited = 0;
  for (;;) {
    const states = objects.map((one) => ({
      one,
      health: healthOf(world.store.find(one.resource, one.namespace, one.name)),
    }));
    const open = states.filter(({ health }) => health !== 'Current');
    if (open.length === 0) return { outcome: 'healthy', took: took() };
    const failed = open.filter(({ health }) => health === 'Failed');
    if (failed.length > 0) {
      return { outcome: 'failed', took: took(), message: `failed early due to stalled resources: [${shown(failed)}]` };
    }
    const newer = isSuperseded();
    if (newer !== null)
      return { outcome: 'canceled', took: took(), message: `New reconciliation triggered by ${newer}` };
    if (waited >= timeout) {
      return { outcome: 'failed', took: took(), message: `timeout waiting for: [${shown(open)}]` };
    }
    const step = Math.min(poll, timeout - waited);
    await world.sleep(step, signal);
    waited += step;
  }
}
