import type { Command } from '../command.ts';
import { gitlabFlag } from '../settings/flags.ts';

export const publishCommand: Command = {
  name: 'publish',
  summary: 'push what Flux pulls: one artifact per app and environment',
  description:
    'Runs in the delivery repository. For each app and environment: selects the files that its roots reach, archives ' +
    'them, and pushes the artifact where its content is new; the moving tag goes last, never backwards, and only while ' +
    'the gates are open. Unchanged content is not pushed again.',
  arguments: [],
  flags: [
    {
      name: 'environment',
      type: 'list',
      value: 'NAME',
      summary: 'environment to publish; default: the job’s environment where sluice.yaml has it, else all',
    },
    { name: 'app', type: 'list', value: 'NAME', summary: 'app to publish; default: all' },
    {
      name: 'commit',
      type: 'string',
      value: 'SHA',
      summary: 'delivery commit; default: HEAD',
      gitlab: 'CI_COMMIT_SHA',
    },
    {
      name: 'branch',
      type: 'string',
      value: 'NAME',
      summary: 'branch of the commit; default: the one checked out',
      gitlab: 'CI_COMMIT_REF_NAME',
    },
    {
      name: 'registry',
      type: 'string',
      value: 'HOST/PATH',
      summary: 'where artifacts go: {registry} in sluice.yaml',
      gitlab: 'CI_REGISTRY_IMAGE',
    },
    {
      name: 'delivery',
      type: 'string',
      value: 'PROJECT',
      summary: 'path of the delivery project',
      gitlab: 'CI_PROJECT_PATH',
    },
    gitlabFlag,
    {
      name: 'oci-layout',
      type: 'string',
      value: 'DIR',
      summary: 'write OCI image layouts to DIR/<environment>/<artifact> instead of pushing; no registry is asked',
    },
    {
      name: 'from-oci-layout',
      type: 'string',
      value: 'DIR',
      summary: 'push the layouts that --oci-layout wrote to DIR; each must hold exactly what the commit gives',
    },
    {
      name: 'tag',
      type: 'list',
      value: 'TEMPLATE',
      summary: 'a further tag for what is pushed, of {environment}, {app}, {artifact}, {commit} and {branch}',
    },
    {
      name: 'sign',
      type: 'string',
      value: 'TOOL',
      choices: ['cosign'],
      summary: 'sign what is pushed, with the key in SLUICE_COSIGN_KEY (password in COSIGN_PASSWORD)',
    },
    {
      name: 'override',
      type: 'string',
      value: 'REASON',
      summary: 'publish although a gate is closed or objects would be pruned; the reason is recorded',
    },
    {
      name: 'max-files',
      type: 'integer',
      value: 'N',
      summary: 'most files that one artifact may hold',
      default: '50000',
    },
    {
      name: 'max-bytes',
      type: 'integer',
      value: 'N',
      summary: 'most bytes that one artifact may hold',
      default: '1073741824',
    },
    { name: 'parallel', type: 'integer', value: 'N', summary: 'pushes at a time', default: '4' },
    {
      name: 'prune',
      type: 'boolean',
      summary: 'publish nothing: remove artifacts of deleted apps and environments, and tags of old delivery commits',
    },
    {
      name: 'keep-days',
      type: 'integer',
      value: 'N',
      summary: 'with --prune: remove tags of delivery commits older than N days (90, where no bound is given)',
    },
    {
      name: 'keep-count',
      type: 'integer',
      value: 'M',
      summary: 'with --prune: remove tags of delivery commits beyond the newest M of an environment and artifact',
    },
  ],
  examples: [
    ['In the delivery repository’s pipeline', 'publish --environment staging'],
    ['What would be pushed, and why', 'publish --dry-run --registry registry.example.com/shop/delivery'],
    ['What a scheduled pipeline would remove', 'publish --prune --keep-days 30 --keep-count 50 --dry-run'],
  ],
  load: async () => (await import('./publish.run.ts')).run,
};
