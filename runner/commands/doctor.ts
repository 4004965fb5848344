import { checks } from '../../src/operations/doctor/finding.ts';
import type { Command } from '../command.ts';
import { placeFlags } from '../settings/flags.ts';

export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'look at each step of the chain, and say for each fault the one repair',
  description:
    'Looks at tools, sluice.yaml, GitLab, tokens, branch, registry, agents, rights, Flux and its objects, from inside a job or from a laptop, and changes nothing (but for --probe). What cannot be looked at is told with what doctor needs for it. Exit code 0: no fault (warnings may be there); else that of the worst fault.',
  arguments: [],
  flags: [
    {
      name: 'check',
      type: 'list',
      value: 'NAME',
      summary: 'only these parts (default: all)',
      choices: checks,
    },
    {
      name: 'environment',
      type: 'list',
      value: 'NAME',
      summary: 'only the clusters of this environment (default: the job’s environment, else all)',
    },
    ...placeFlags,
    {
      name: 'probe',
      type: 'boolean',
      summary: 'push a small artifact under the tag sluice-doctor and remove it, to see that the registry takes it',
    },
  ],
  examples: [
    ['In a job, or in a checkout of the delivery repository', 'doctor'],
    [
      'From a laptop, with SLUICE_GITLAB_TOKEN and KUBECONFIG',
      'doctor --gitlab https://gitlab.example.com --delivery shop/delivery',
    ],
    ['Only the token and the rights in the cluster', 'doctor --check token --check rights --environment staging'],
  ],
  load: async () => (await import('./doctor.run.ts')).run,
};
