import { parseClaim } from '../../src/delivery/message.ts';
import { parseRequestBlock, requestBranch } from '../../src/delivery/request-text.ts';
import { Fault } from '../../src/fault.ts';
import type { Context } from '../context.ts';
import { endingGitLab } from './update.gitlab.ts';

/** Sources of pipelines that somebody starts on a commit that is there already. */
const asked = ['api', 'chat', 'pipeline', 'trigger', 'web'];

/**
 * Was the pipeline's own commit made by sluice? Where application and delivery are one project, that must end. A
 * pipeline that somebody asks for in the delivery repository is no answer to such a commit. The commit that merges or
 * squashes a merge request has no trailers: it is known by the merge request.
 */
export async function ownCommit(context: Context): Promise<boolean> {
  const { job, values } = context;
  if (values.boolean('local') && asked.includes(job.pipelineSource ?? '')) return false;
  const message = context.variable('CI_COMMIT_MESSAGE') ?? '';
  if (parseClaim({ sha: job.commit ?? '', message }) !== null && /^Sluice-App:/m.test(message)) return true;
  if (context.variable('CI_MERGE_REQUEST_SOURCE_BRANCH_NAME')?.startsWith('sluice/')) return true;
  const { project, commit } = job;
  if (project === undefined || commit === undefined || context.secret('SLUICE_GITLAB_TOKEN') === undefined)
    return false;
  try {
    const gitlab = await endingGitLab(context);
    const brought = (await gitlab.commitMergeRequests(project, commit)).filter(
      (request) => request.state === 'merged' && !request.fork && request.mergeCommit === commit,
    );
    const me = brought.length === 0 ? '' : await gitlab.me();
    return brought.some((request) => {
      const block = request.author === me ? parseRequestBlock(request.description) : null;
      return block !== null && requestBranch(block.app, block.environment) === request.branch;
    });
  } catch (error) {
    // A token for git alone reads no merge requests, and makes none either.
    if (error instanceof Fault && error.code === 'token_refused') return false;
    throw error;
  }
}
