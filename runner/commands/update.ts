import type { Command } from '../command.ts';
import { gitlabFlag } from '../settings/flags.ts';

export const updateCommand: Command = {
  name: 'update',
  summary: 'carry a new version into the delivery repository',
  description:
    'Changes the image (or other values) of an app in the manifests of the delivery repository, byte by byte, and pushes one commit, or opens a merge request. Where others push at the same time everything is computed again on their commits; a pipeline that is older than what stands changes nothing. Where an open merge request already brings other images or values of the app, it brings them on; --dry-run reads them and marks them.',
  arguments: [],
  flags: [
    {
      name: 'delivery',
      type: 'string',
      value: 'PROJECT_OR_URL',
      summary: 'the delivery repository: full path of its project on this GitLab, or its URL',
    },
    { name: 'local', type: 'boolean', summary: 'this checkout is the delivery repository: use its own address' },
    { name: 'branch', type: 'string', value: 'NAME', summary: 'branch to deliver to (default: the default branch)' },
    { name: 'app', type: 'string', value: 'NAME', summary: 'app of sluice.yaml' },
    { name: 'environment', type: 'list', value: 'NAME', summary: 'environment of sluice.yaml' },
    {
      name: 'image',
      type: 'list',
      value: 'IMAGE',
      summary: 'NAME[:TAG][@DIGEST], or NAME=[NEWNAME][:TAG][@DIGEST]',
    },
    {
      name: 'set',
      type: 'list',
      value: 'FILE:PATH=VALUE',
      summary: 'another value; FILE is inside the app’s path, `{environment}` stands for the environment',
    },
    {
      name: 'change',
      type: 'string',
      value: 'FILE',
      summary:
        'several apps at once: a JSON list of {app, environments, images, values, origin} (a file, or the text itself); one commit for those that share environments and origin',
    },
    {
      name: 'mode',
      type: 'string',
      value: 'MODE',
      summary: 'how the change arrives (default: what `changes:` of the environment says)',
      choices: ['push', 'merge-request', 'trigger'],
    },
    {
      name: 'pin',
      type: 'string',
      value: 'HOW',
      summary:
        'write the tag, its digest (looked up in the registry) or both (default: what `pin:` of sluice.yaml says, else what --image says)',
      choices: ['tag', 'digest', 'both'],
    },
    { name: 'auto-merge', type: 'boolean', summary: 'let the merge request merge when its pipeline succeeds' },
    { name: 'label', type: 'list', value: 'NAME', summary: 'label of the merge request (default: sluice)' },
    { name: 'wait', type: 'boolean', summary: 'follow the delivery side until its statuses are final' },
    { name: 'no-verify-image', type: 'boolean', summary: 'do not look the image up in its registry' },
    {
      name: 'trigger-variables',
      type: 'boolean',
      summary:
        '--mode trigger: send the change as the variable SLUICE_CHANGE (default: as the pipeline input sluice_change)',
    },
    { name: 'allow-older', type: 'boolean', summary: 'permit a version of an older pipeline' },
    {
      name: 'source-project',
      type: 'string',
      value: 'PATH',
      summary: 'application project that the change comes from',
      gitlab: 'CI_PROJECT_PATH',
    },
    { name: 'source-commit', type: 'string', value: 'SHA', summary: 'its commit', gitlab: 'CI_COMMIT_SHA' },
    { name: 'source-ref', type: 'string', value: 'NAME', summary: 'its branch or tag', gitlab: 'CI_COMMIT_REF_NAME' },
    { name: 'source-pipeline', type: 'string', value: 'ID', summary: 'its pipeline', gitlab: 'CI_PIPELINE_ID' },
    gitlabFlag,
  ],
  examples: [
    [
      'In the application’s pipeline, after the image was pushed',
      'update --delivery shop/delivery --app podinfo --environment staging --image $CI_REGISTRY_IMAGE:$CI_COMMIT_SHORT_SHA',
    ],
    [
      'Production by merge request, and wait until it is healthy',
      'update --delivery shop/delivery --app podinfo --environment production --image podinfo=:6.7.1 --mode merge-request --auto-merge --wait',
    ],
    [
      'What would change, without pushing',
      'update --delivery https://gitlab.example.com/shop/delivery.git --app podinfo --environment staging --set {environment}/values.yaml:/replicas=3 --dry-run',
    ],
  ],
  load: async () => (await import('./update.run.ts')).run,
};
