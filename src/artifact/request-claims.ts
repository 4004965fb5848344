import type { CommitClaim } from '../delivery/commit.ts';
import { parseRequestBlock } from '../delivery/request-text.ts';
import type { GitLab, GitLabMergeRequest } from '../systems/gitlab.ts';

/** What is asked of GitLab. */
interface Requests extends Pick<GitLab, 'me'> {
  commitMergeRequests(
    project: string,
    sha: string,
  ): Promise<readonly Pick<GitLabMergeRequest, 'state' | 'author' | 'description'>[]>;
}

/**
 * What the merge requests of a delivery commit claim, where a squash or merge has dropped the trailers. Only the block
 * of a merged merge request that our own bot opened counts: anybody may open one. Faults as `GitLab`.
 */
export async function requestClaims(gitlab: Requests, project: string, sha: string): Promise<readonly CommitClaim[]> {
  const requests = (await gitlab.commitMergeRequests(project, sha)).filter(({ state }) => state === 'merged');
  if (requests.length === 0) return [];
  const bot = await gitlab.me();
  return requests.flatMap((request) => {
    const block = request.author === bot ? parseRequestBlock(request.description) : null;
    if (block === null) return [];
    const { app, environment, images, origin } = block;
    return [{ commit: sha, apps: [app], environments: [environment], images, origin }];
  });
}
