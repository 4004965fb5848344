import type { CommitClaim } from '../delivery/commit.ts';
import { parseRequestBlock } from '../delivery/request-text.ts';

/** What is looked at in a merge request. */
export interface RequestSeen {
  readonly state: string;
  readonly author: string;
  readonly description: string;
}

/**
 * Claims of the merged merge requests that a commit belongs to: the block of the description, where our own bot (`me`)
 * wrote it. This is the way back to the origin where a squash dropped the trailers.
 */
export function requestClaims(sha: string, requests: readonly RequestSeen[], me: string): readonly CommitClaim[] {
  return requests.flatMap(({ state, author, description }) => {
    const block = state === 'merged' && author === me ? parseRequestBlock(description) : null;
    if (!block) return [];
    const { app, environment, images, origin } = block;
    return [{ commit: sha, apps: [app], environments: [environment], images, origin }];
  });
}
