import { afterAll, beforeAll } from 'vitest';
import { connectScene } from './scene.ts';
import type { Scene } from './scene.ts';
import { startSimulatedStack } from './simulated-stack.ts';
import { startStack } from './stack.ts';
import type { LabStack, StackOptions } from './stack.ts';

/**
 * One stack for all stories of a file, with the namespaces named; usable inside tests only. SLUICE_LAB_WORLD=simulated
 * tells the same stories of the simulated cluster.
 */
export function setStage(options: StackOptions, namespaces: readonly string[] = ['demo']) {
  let standing: { readonly stack: LabStack; readonly scene: Scene } | undefined;
  beforeAll(async () => {
    const isSimulated = process.env['SLUICE_LAB_WORLD'] === 'simulated';
    const stack = isSimulated ? await startSimulatedStack(options) : await startStack(options);
    const scene = connectScene(stack);
    standing = { stack, scene };
    for (const namespace of namespaces) await scene.namespace(namespace);
  });
  afterAll(() => standing?.stack.stop());
  return () => {
    if (!standing) throw new Error('the stack stands only while tests run');
    return standing;
  };
}
