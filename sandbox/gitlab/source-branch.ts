import { git, zeros } from './repositories.ts';
import type { MergeRequest, Project, State } from './state.ts';

/** Merge requests that a project's branch is the source of, in whichever project they are. */
export function requestsFrom(state: State, source: Project, branch: string): readonly MergeRequest[] {
  return [...state.projects.values()]
    .flatMap((project) => project.mergeRequests)
    .filter((each) => each.sourceProject === source && each.sourceBranch === branch && each.state === 'opened');
}

/** Brings the commits of a fork's branch into the project that is asked to merge it. */
export async function fetchSource(state: State, request: MergeRequest): Promise<void> {
  const { project, sourceProject, sha } = request;
  if (sourceProject === project || sha === zeros) return;
  await git(state, project.repository, ['fetch', '-q', '--no-tags', `file://${sourceProject.repository}`, sha]);
}
