import type { GitLab, GitLabPipeline } from '../systems/gitlab.ts';

/**
 * The pipeline of a commit that people look at: of an open merge request its newest merge request pipeline, else the
 * newest that is no child (an open status in a child hangs its parent's trigger job). null: the commit has none.
 */
export function choosePipeline(
  pipelines: readonly GitLabPipeline[],
  mergeRequestOpen: boolean,
  except: number | null,
): GitLabPipeline | null {
  const newest = pipelines
    .filter((pipeline) => pipeline.id !== except && pipeline.source !== 'parent_pipeline')
    .toSorted((a, b) => b.id - a.id);
  const ofMergeRequest = newest.find((pipeline) => pipeline.source === 'merge_request_event');
  if (mergeRequestOpen && ofMergeRequest) return ofMergeRequest;
  return newest.find((pipeline) => pipeline.source !== 'external') ?? newest[0] ?? null;
}

/** Asks GitLab for it. `except`: an id that GitLab no longer accepts. Faults as `GitLab`. */
export async function findPipeline(
  gitlab: GitLab,
  project: string,
  sha: string,
  except: number | null,
): Promise<number | null> {
  const pipelines = await gitlab.pipelines(project, { sha });
  const ofMergeRequest = pipelines.some((pipeline) => pipeline.source === 'merge_request_event');
  const requests = ofMergeRequest ? await gitlab.commitMergeRequests(project, sha) : [];
  const open = requests.some((request) => request.state === 'opened');
  return choosePipeline(pipelines, open, except)?.id ?? null;
}
