import type { Followed } from '../src/watch/verdict.ts';
import { connectScene } from '../test/lab/scene.ts';
import type { Scene } from '../test/lab/scene.ts';
import { coreTools } from '../test/lab/parts.ts';
import { sampleApp } from '../test/lab/sample-app.ts';
import { startStack } from '../test/lab/stack.ts';
import type { LabStack } from '../test/lab/stack.ts';
import { connectWatcher } from '../test/lab/watcher.ts';
import type { Watcher } from '../test/lab/watcher.ts';
import { ensureBinaries, requireGo } from '../scripts/binaries.mjs';

/** The real API server, Flux and registry with an application in flux-system, for figures. */
export interface FluxStage extends AsyncDisposable {
  readonly stack: LabStack;
  readonly scene: Scene;
  readonly watcher: Watcher;
  /** Pushes the next version of `team/<name>`, healthy at once; answers what is followed. */
  push(name: string): Promise<Followed>;
  /** Milliseconds (performance.now) at which an object was first seen to satisfy the test. */
  seen(kind: 'OCIRepository' | 'Kustomization', name: string, test: (status: string) => boolean): Promise<number>;
}

/** Starts it; builds what is missing. */
export async function raiseFlux(): Promise<FluxStage> {
  requireGo('The real Flux is built with it.');
  await ensureBinaries([...coreTools, 'notification-controller']);
  const stack = await startStack({ tier: 'notification' });
  const scene = connectScene(stack);
  const watcher = await connectWatcher(stack);
  await scene.namespace('demo');
  let count = 0;
  return {
    stack,
    scene,
    watcher,
    async push(name) {
      const commit = String((count += 1)).padStart(40, '0');
      const { digest } = await scene.push(`team/${name}`, sampleApp({ namespace: 'demo', color: `c${count}` }), {
        annotations: { 'org.opencontainers.image.revision': `main@sha1:${commit}` },
      });
      return watcher.followed({ repository: `team/${name}`, wanted: digest, commit });
    },
    async seen(kind, name, test) {
      await scene.waitFor(kind, name, ({ status }) => test(JSON.stringify(status ?? {})));
      return performance.now();
    },
    [Symbol.asyncDispose]: () => stack.stop(),
  };
}
