import type { Command } from '../command.ts';

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
      summary: 'environment of sluice.yaml (repeatable; default: the job’s environment, else all)',
    },
    { name: 'app', type: 'list', value: 'NAME', summary: 'only these apps (repeatable)' },
    {
      name: 'published',
      type: 'string',
      value: 'FILE',
      summary: 'result.json of `sluice publish`: only what it pushed (default: all)',
    },
    {
      name: 'branch',
      type: 'string',
      value: 'NAME',
      summary: 'branch of the delivery repository',
      gitlab: 'CI_COMMIT_BRANCH',
    },
    {
      name: 'delivery',
      type: 'string',
      value: 'PROJECT',
      summary: 'path of the delivery project',
      gitlab: 'CI_PROJECT_PATH',
    },
    {
      name: 'registry',
      type: 'string',
      value: 'HOST/PATH',
      summary: 'what {registry} in `repository` stands for',
      gitlab: 'CI_REGISTRY_IMAGE',
    },
  ],
  examples: [
    ['Everything of the job’s environment', 'notify'],
    ['Only what publish has just pushed', 'notify --environment staging --published .sluice/result.json'],
    ['Which objects would be asked, and how', 'notify --environment production --app podinfo --dry-run'],
  ],
  load: async () => (await import('./notify.run.ts')).run,
};
