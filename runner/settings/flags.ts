import type { Flag } from '../command.ts';
import type { Values } from '../context.ts';

/** Flags that every command has. */
export const globalFlags: readonly Flag[] = [
  {
    name: 'config',
    type: 'string',
    value: 'FILE',
    summary: 'the delivery repository’s configuration (default: sluice.yaml)',
  },
  {
    name: 'format',
    type: 'string',
    value: 'FORMAT',
    summary: 'what stdout carries: text for people, json: exactly one document',
    choices: ['text', 'json'],
    default: 'text',
  },
  { name: 'dry-run', type: 'boolean', summary: 'print the plan and do nothing' },
  {
    name: 'report-dir',
    type: 'string',
    value: 'DIR',
    summary: 'write result.json, sluice.env, junit.xml, metrics.txt and summary.md there',
  },
  {
    name: 'timeout',
    type: 'duration',
    value: 'DURATION',
    summary:
      'give up after this time, e.g. 90s or 15m (default: what is left of the job’s time less 90 s, in short jobs up to 30 s; outside a job 10m)',
  },
  { name: 'verbose', type: 'boolean', summary: 'say more on stderr' },
];

/** Where GitLab is, for commands that talk to it. */
export const gitlabFlag: Flag = {
  name: 'gitlab',
  type: 'string',
  value: 'URL',
  summary: 'address of GitLab, outside its jobs',
  gitlab: 'CI_SERVER_URL',
};

/** The address of GitLab that the command line or SLUICE_GITLAB gave; undefined: the job's own. */
export function givenGitLab(flags: readonly Flag[], values: Values): string | undefined {
  return flags.includes(gitlabFlag) && values.given('gitlab') ? values.string('gitlab') : undefined;
}

/** Which apps in which environments, for commands that look at what was published. */
export const pairFlags: readonly Flag[] = [
  {
    name: 'environment',
    type: 'list',
    value: 'NAME',
    summary: 'environment of sluice.yaml (default: the job’s environment, else all)',
  },
  { name: 'app', type: 'list', value: 'NAME', summary: 'only these apps' },
];

/** Where the delivery repository and its artifacts are, for commands that look at what was published. */
export const placeFlags: readonly Flag[] = [
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
  gitlabFlag,
];

/** The environment variable of a flag: `dry-run` → `SLUICE_DRY_RUN`. */
export function variableOf(flag: string): string {
  return `SLUICE_${flag.toUpperCase().replaceAll('-', '_')}`;
}
