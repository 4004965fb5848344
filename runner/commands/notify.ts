import type { Command } from '../command.ts';
import { placeFlags } from '../settings/flags.ts';

export const notifyCommand: Command = {
  name: 'notify',
  summary: 'ask Flux to fetch now, without waiting',
  description:
    'Finds the Flux sources that deliver the apps and asks them to reconcile, by the ways of `notify:` in sluice.yaml. `sluice sync` does this too, and waits for the outcome.',
  arguments: [],
  flags: [
    {
      name: 'environment',
      type: 'list',
      value: 'NAME',
      summary: 'environment of sluice.yaml (default: the job’s environment, else all)',
    },
    { name: 'app', type: 'list', value: 'NAME', summary: 'only these apps' },
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
