import type { Command } from '../command.ts';
import { pairFlags, placeFlags } from '../settings/flags.ts';

export const syncCommand: Command = {
  name: 'sync',
  summary: 'ask Flux, follow it until settled, and tell GitLab on both commits',
  description:
    'Asks Flux in every cluster of the environment to fetch what was published, follows it until it is healthy or has certainly failed, and posts external job statuses on the delivery commit and on each application commit that it came from. Every way out posts a final state; --repair only closes what ended jobs left open.',
  arguments: [],
  flags: [
    ...pairFlags,
    {
      name: 'published',
      type: 'string',
      value: 'FILE',
      summary: 'result.json of `sluice publish` (default: ask the registry and the commit’s trailers)',
    },
    {
      name: 'commit',
      type: 'string',
      value: 'SHA',
      summary: 'delivery commit (default: the job’s, else HEAD)',
      gitlab: 'CI_COMMIT_SHA',
    },
    ...placeFlags,
    {
      name: 'repair',
      type: 'boolean',
      summary: 'only close statuses that ended jobs, or this job, left open (for after_script)',
    },
  ],
  examples: [
    ['In the delivery pipeline, after publish', 'sync --environment staging --published .sluice/result.json'],
    ['What would be followed and told, without doing it', 'sync --environment production --dry-run'],
    ['In after_script: leave no status open', 'sync --environment staging --repair'],
  ],
  load: async () => (await import('./sync.run.ts')).run,
};
