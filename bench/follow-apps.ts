import { connectCluster } from '../src/systems/cluster-kubernetes.ts';
import { systemClock } from '../src/systems/clock-system.ts';
import { followCluster } from '../src/watch/follow.ts';
import { podinfo } from '../test/watch/look.ts';

/** Follows so many apps for so many seconds, and prints its memory in bytes. */
const [number, seconds] = process.argv.slice(2).map(Number);
const clock = systemClock();
const followed = Array.from({ length: number! }, (_, index) => ({
  ...podinfo,
  app: `app${index}`,
  artifact: `app${index}`,
  urls: [`registry.example.com/shop/delivery/app${index}`],
}));
let highest = 0;
for await (const _ of followCluster({
  cluster: connectCluster({ name: 'eu', context: 'other', kubeconfig: process.env['BENCH_KUBECONFIG']! }),
  followed,
  clock,
  signal: new AbortController().signal,
  deadline: clock.now() + seconds! * 1_000,
  contains: async () => false,
  stillHolds: async () => false,
}))
  highest = Math.max(highest, process.memoryUsage().rss);
process.stdout.write(String(Math.max(highest, process.memoryUsage().rss)));
