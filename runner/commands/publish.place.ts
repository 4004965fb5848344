import { Fault } from '../../src/fault.ts';
import type { GitRepository } from '../../src/systems/git.ts';
import type { Context } from '../context.ts';

/** Where artifacts go and come from. */
export interface PublishPlace {
  /** HOST/PATH; undefined where it is not known. */
  readonly registryName: string | undefined;
  readonly project: string;
  readonly branch: string;
  /** Address of the delivery repository. */
  readonly source: string;
}

/** The delivery commit asked for. Fault `commit_missing`. */
export async function commitOf({ values, files }: Context, git: GitRepository): Promise<string> {
  const named = values.string('commit') ?? 'HEAD';
  const sha = await git.resolve(named);
  if (sha !== null) return sha;
  throw new Fault('commit_missing', `commit ${named} is not in ${files.folder}`);
}

/** What flags and job say of the place. Fault `usage`. */
export async function placeOf(context: Context): Promise<PublishPlace> {
  const { values, job } = context;
  const registryName = values.string('registry')?.replace(/\/+$/, '');
  if (registryName?.includes('://')) {
    throw new Fault('usage', `--registry ${registryName}: write HOST/PATH without ${registryName.split('://')[0]}://`);
  }
  const project = values.string('delivery') ?? '';
  const branch = values.string('branch') ?? (await branchOf(context));
  return {
    registryName,
    project,
    branch,
    source: job.serverUrl === undefined ? project : `${job.serverUrl}/${project}`,
  };
}

/** The registry, for those who cannot do without. Fault `usage`. */
export function registryOf({ registryName }: PublishPlace): string {
  if (registryName !== undefined) return registryName;
  throw new Fault('usage', 'it is not known where artifacts go', {
    hint: 'Pass --registry HOST/PATH, or run in a GitLab project whose container registry is on (CI_REGISTRY_IMAGE).',
  });
}

async function branchOf(context: Context): Promise<string> {
  const { text } = await context.processes.run('git', ['symbolic-ref', '--short', '--quiet', 'HEAD'], {
    cwd: context.files.folder,
    accept: [0, 1, 128],
  });
  if (text.trim() !== '') return text.trim();
  throw new Fault('usage', 'the branch of the commit is not known', { hint: 'Pass --branch NAME.' });
}
