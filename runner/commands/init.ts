import type { Command } from '../command.ts';
import { gitlabFlag } from '../settings/flags.ts';

export const initCommand: Command = {
  name: 'init',
  summary: 'propose sluice.yaml, the Flux objects, the rights and the pipelines for an existing repository',
  description:
    'Reads a delivery repository (Flux Kustomizations, kustomize overlays, HelmReleases, setter markers, folders such as apps/<app>/<environment>) and writes what is missing. Nothing is overwritten: for files that stand, the diff that a person would apply is printed. What belongs into other projects, and what people do once by hand, is printed too.',
  arguments: [],
  flags: [
    {
      name: 'delivery',
      type: 'string',
      value: 'PROJECT',
      summary: 'path of the delivery project (default: that of the remote origin)',
      gitlab: 'CI_PROJECT_PATH',
    },
    gitlabFlag,
    {
      name: 'registry',
      type: 'string',
      value: 'HOST/PATH',
      summary: 'where artifacts go (default: registry.<GitLab’s host>/<delivery project>)',
      gitlab: 'CI_REGISTRY_IMAGE',
    },
    { name: 'branch', type: 'string', value: 'NAME', summary: 'branch that is delivered', gitlab: 'CI_DEFAULT_BRANCH' },
    {
      name: 'source',
      type: 'string',
      value: 'KIND',
      summary: 'what Flux follows: artifacts, or the delivery repository itself',
      choices: ['oci', 'git'],
      default: 'oci',
    },
    {
      name: 'agents',
      type: 'string',
      value: 'PROJECT',
      summary: 'project that holds the agents’ settings (default: the delivery project)',
    },
    {
      name: 'access',
      type: 'string',
      value: 'AS',
      summary: 'whom jobs are in the cluster: the agent (every tier), or themselves (Premium)',
      choices: ['agent', 'ci-job'],
      default: 'agent',
    },
    {
      name: 'project-id',
      type: 'integer',
      value: 'ID',
      summary: 'id of the delivery project, for --access ci-job',
      gitlab: 'CI_PROJECT_ID',
    },
    {
      name: 'application',
      type: 'list',
      value: 'APP=PROJECT',
      summary: 'application project of an app, which gets its results back',
    },
    {
      name: 'app',
      type: 'string',
      value: 'NAME',
      summary: 'name of the app where folders tell none (default: the delivery project’s)',
    },
    { name: 'no-receiver', type: 'boolean', summary: 'no Receiver: sync annotates the sources instead' },
    {
      name: 'component',
      type: 'string',
      value: 'PROJECT',
      summary: 'path of the component project',
      default: 'sluice/sluice',
    },
    {
      name: 'merge-request',
      type: 'boolean',
      summary: 'open a merge request in the delivery project instead of writing files',
    },
  ],
  examples: [
    ['What would be written, as a diff', 'init --dry-run'],
    [
      'Write it, with the agents of another project',
      'init --agents platform/agents --application podinfo=shop/podinfo',
    ],
    ['As a merge request', 'init --gitlab https://gitlab.example.com --delivery shop/delivery --merge-request'],
  ],
  load: async () => (await import('./init.run.ts')).run,
};
