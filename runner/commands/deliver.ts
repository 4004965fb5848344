import type { Command } from '../command.ts';
import { publishCommand } from './publish.ts';
import { syncCommand } from './sync.ts';

const left = new Set(['oci-layout', 'from-oci-layout', 'prune', 'keep-days', 'keep-count', 'published', 'repair']);
const flags = new Map([...syncCommand.flags, ...publishCommand.flags].map((flag) => [flag.name, flag]));

export const deliverCommand: Command = {
  name: 'deliver',
  summary: 'publish and sync in one go',
  description:
    'Publishes the delivery commit’s artifacts, then asks Flux, follows it and tells GitLab: `publish` and `sync` in one process, for laptops, hooks and small repositories.',
  arguments: [],
  flags: [...flags.values()].filter(({ name }) => !left.has(name)),
  examples: [
    ['One job in the delivery pipeline', 'deliver --environment staging'],
    ['From a laptop', 'deliver --delivery platform/delivery --registry registry.example.com/platform/delivery'],
    ['What would be pushed, followed and told', 'deliver --environment production --dry-run'],
  ],
  load: async () => (await import('./deliver.run.ts')).run,
};
