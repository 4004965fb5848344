import { Fault } from '../../src/fault.ts';
import type { Context } from '../context.ts';

/** Where the delivery repository is, and how that is known. */
export interface DoctorPlace {
  /** Address of GitLab without slash at the end; null: not known. */
  readonly url: string | null;
  /** Path of the delivery project. */
  readonly project: string | null;
  /** null: the project's default branch. */
  readonly branch: string | null;
  /** What {registry} stands for. */
  readonly registry: string | null;
}

/** Flags and the job's variables first, then the remote `origin` of the checkout. Fault `usage` for what is no address. */
export async function readDoctorPlace(context: Context): Promise<DoctorPlace> {
  const { values, job } = context;
  const project = values.string('delivery') ?? null;
  if (job.serverUrl !== undefined && !/^https?:\/\/[^\s/]/.test(job.serverUrl)) {
    throw new Fault('usage', `the address of GitLab ${JSON.stringify(job.serverUrl)} is none`, {
      hint: 'Give --gitlab URL, e.g. https://gitlab.example.com.',
    });
  }
  const registry = values.string('registry')?.replace(/\/+$/, '') ?? null;
  if (registry !== null && !/^[^/\s:]+(:\d+)?\/[^\s]+$/.test(registry))
    throw new Fault('usage', `--registry ${registry}: write HOST/PATH, without a scheme`);
  const remote = job.serverUrl === undefined || project === null ? await originOf(context) : null;
  const url = job.serverUrl ?? remote?.url ?? null;
  const mine = remote !== null && (job.serverUrl === undefined || remote.host === new URL(job.serverUrl).host);
  return {
    url,
    project: project ?? (mine ? remote.project : null),
    branch: values.string('branch') ?? null,
    registry,
  };
}

async function originOf(
  context: Context,
): Promise<{ readonly url: string; readonly host: string; readonly project: string } | null> {
  const { text } = await context.processes
    .run('git', ['remote', 'get-url', 'origin'], { cwd: context.files.folder, accept: [0, 1, 2, 128] })
    .catch(() => ({ text: '' }));
  const address = text.trim();
  const [, host, path] = /^(?:ssh:\/\/)?(?:[^@/\s]+@)?([^:/\s]+)(?::\d+)?[:/](.+)$/.exec(address) ?? [];
  const web = /^https?:\/\//.test(address) && URL.canParse(address) ? new URL(address) : null;
  const project = (web ? web.pathname : (path ?? '')).replace(/^\/+|\/+$/g, '').replace(/\.git$/, '');
  if (!project.includes('/')) return null;
  if (web) return { url: web.origin, host: web.host, project };
  return host === undefined ? null : { url: `https://${host}`, host, project };
}
