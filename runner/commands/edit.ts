import type { Command } from '../command.ts';

/** `sluice edit`: the manifest engine on local files. */
export const editCommand: Command = {
  name: 'edit',
  summary: 'change values in manifests, in place, and nothing else',
  description:
    'Changes images and other values in local files. Only the bytes of the values change: comments, quotes, ' +
    'indentation and line ends stay. A folder means all YAML files below. Nothing is written if any file fails. ' +
    'Prints the changed files; --dry-run prints the unified diff.',
  arguments: [{ name: 'FILE', summary: 'file or folder', required: true, variadic: true }],
  flags: [
    {
      name: 'image',
      type: 'list',
      value: 'NAME=[NEWNAME][:TAG][@DIGEST]',
      summary: 'set an image wherever the files hold it; also as a full reference NAME:TAG',
    },
    { name: 'set', type: 'list', value: 'PATH=VALUE', summary: 'set the value at a JSON Pointer or dotted path' },
    {
      name: 'setter',
      type: 'list',
      value: 'NAMESPACE:POLICY[:tag|:name|:digest]=VALUE',
      summary: 'set the values that a Flux marker {"$imagepolicy": …} names',
    },
    { name: 'document', type: 'string', value: 'N|Kind/name', summary: 'only this document of the files (N from 0)' },
  ],
  examples: [
    [
      'Set an image in all manifests of a folder',
      'edit apps/podinfo/staging --image ghcr.io/stefanprodan/podinfo:6.7.1',
    ],
    ['Set a value by path', 'edit release.yaml --set spec.values.replicaCount=3'],
    ['See the difference only', 'edit kustomization.yaml --image podinfo=:6.7.1 --dry-run'],
  ],
  load: async () => (await import('./edit.run.ts')).run,
};
