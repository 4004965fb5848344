import type { ClusterOptions, SimulatedCluster } from './handle.ts';

/**
 * Starts a simulated cluster on loopback: a Kubernetes API over HTTP and the behaviour of Flux 2.9 behind it.
 * Rejects when no port is free or the temporary folder cannot be made.
 */
export async function startCluster(options: ClusterOptions): Promise<SimulatedCluster> {
  throw new Error(`The simulated cluster cannot start yet (${options.kustomize}).`);
}
