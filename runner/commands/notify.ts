import type { Command } from '../command.ts';
import { pairFlags, placeFlags } from '../settings/flags.ts';

export const notifyCommand: Command = {
  name: 'notify',
  summary: 'ask Flux to fetch now, without waiting',
  description:
    'Finds the Flux sources that deliver the apps and asks them to reconcile, by the ways of `notify:` in sluice.yaml. `sluice sync` does this too, and waits for the outcome.',
  arguments: [],
  flags: [
    ...pairFlags,
    {
      name: 'published',
      type: 'string',
      value: 'FILE',
      summary: 'result.json of `sluice publish`: only what it pushed (default: all)',
    },
    ...placeFlags,
  ],
  examples: [
    ['Everything of the job’s environment', 'notify'],
    ['Only what publish has just pushed', 'notify --environment staging --published .sluice/result.json'],
    ['Which objects would be asked, and how', 'notify --environment production --app podinfo --dry-run'],
  ],
  load: async () => (await import('./notify.run.ts')).run,
};
