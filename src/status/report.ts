/** Station 7, status: what GitLab is told. */

/** States of a GitLab external job status. */
export type StatusState = 'pending' | 'running' | 'success' | 'failed' | 'canceled' | 'skipped';

/** One status to post. */
export interface StatusReport {
  /** Full path of the project, or its id. */
  readonly project: string;
  readonly sha: string;
  /** The pipeline to attach to; where null GitLab chooses by `ref`. */
  readonly pipelineId: number | null;
  readonly ref: string | null;
  /** `sync: <environment>/<app>[/<cluster>]` */
  readonly name: string;
  readonly state: StatusState;
  /** At most 255 code points. */
  readonly description: string;
  readonly targetUrl: string | null;
}
