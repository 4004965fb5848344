import { parse } from 'yaml';
import type { AccessJob } from '../../notify/agent-access.ts';

/** Does an agent's config.yaml give a job its context? */
export interface Sharing {
  readonly shared: boolean;
  readonly reason: string;
  /** The entry to write, as an imperative that follows the file's name. */
  readonly repair: string;
}

interface Entry {
  readonly id?: unknown;
  readonly environments?: unknown;
  readonly protected_branches_only?: unknown;
}

/**
 * Reads `ci_access` of `.gitlab/agents/<name>/config.yaml` (https://docs.gitlab.com/user/clusters/agent/ci_cd_workflow/):
 * the most specific entry wins; the agent's own project needs none. null: the file is not there.
 */
export function sharingOf(settings: string | null, configProject: string, job: AccessJob): Sharing {
  const project = job.project?.toLowerCase();
  const entry = `ci_access: { projects: [{ id: ${job.project ?? '<delivery project>'}${job.environment === undefined ? '' : `, environments: [${job.environment}]`} }] }`;
  const add = `add "${entry}".`;
  if (project === undefined) return { shared: true, reason: '', repair: '' };
  const parsed = settings === null ? {} : read(settings);
  if (parsed === null)
    return { shared: false, reason: 'its config.yaml is not valid YAML', repair: `correct it, with "${entry}".` };
  const access = record(parsed['ci_access']);
  const entries = (key: string) => (Array.isArray(access[key]) ? (access[key] as Entry[]) : []);
  const idOf = ({ id }: Entry) => (typeof id === 'string' ? id.toLowerCase() : '');
  const mine = [
    ...entries('projects').filter((one) => idOf(one) === project),
    ...entries('groups')
      .filter((one) => project.startsWith(`${idOf(one)}/`))
      .toSorted((a, b) => idOf(b).length - idOf(a).length),
  ];
  const chosen = mine[0];
  if (chosen === undefined) {
    if (project === configProject.toLowerCase()) return { shared: true, reason: '', repair: '' };
    return {
      shared: false,
      reason: settings === null ? 'it has no config.yaml' : 'ci_access does not list it',
      repair: add,
    };
  }
  const patterns = Array.isArray(chosen.environments) ? chosen.environments.map(String) : [];
  const { environment } = job;
  if (patterns.length > 0 && environment === undefined && job.protectedRef !== undefined) {
    return {
      shared: false,
      reason: `its entry is for the environments ${patterns.join(', ')}, and this job has none`,
      repair: 'keep it, and give the job its `environment:`.',
    };
  }
  if (patterns.length > 0 && environment !== undefined && !patterns.some((pattern) => covers(pattern, environment))) {
    return {
      shared: false,
      reason: `its entry is for the environments ${patterns.join(', ')}, not ${environment}`,
      repair: `add ${environment} to \`environments\` of the entry.`,
    };
  }
  if (chosen.protected_branches_only === true && job.protectedRef === false) {
    return {
      shared: false,
      reason: `its entry is for protected branches, and ${job.ref ?? 'this ref'} is not protected`,
      repair: `keep \`protected_branches_only\`, and protect ${job.ref ?? 'the branch'}.`,
    };
  }
  return { shared: true, reason: '', repair: '' };
}

function covers(pattern: string, environment: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join('.*')}$`).test(environment);
}

function read(text: string): Readonly<Record<string, unknown>> | null {
  try {
    return record(parse(text));
  } catch {
    return null;
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
