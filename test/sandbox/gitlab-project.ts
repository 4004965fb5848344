import type { GitLabOptions } from '../../sandbox/gitlab/handle.ts';
import { startWorld, type Call, type World } from './gitlab-fixture.ts';

interface Job {
  readonly id: number;
  readonly name: string;
  readonly status: string;
  readonly allow_failure: boolean;
  readonly failure_reason?: string;
}

/** Projects with a CI file, and what becomes of them. */
export interface Projects {
  /** A new project below the group `ci`, with its first commit pushed. */
  create(
    yaml: string,
    setUp?: (path: string) => void,
    files?: Readonly<Record<string, string>>,
  ): Promise<{ readonly path: string; readonly url: string; readonly sha: string }>;
  /** Jobs of the newest pipeline by name, and the pipeline, once all is done. */
  outcome(url: string): Promise<{
    // oxlint-disable-next-line typescript/no-explicit-any
    readonly pipeline: any;
    readonly jobs: Readonly<Record<string, Job>>;
    readonly states: Readonly<Record<string, string>>;
  }>;
  /** Id of a job, once it runs. */
  runningJob(path: string, name: string): Promise<number>;
  /** Waits for a line in a job's log. */
  untilLogged(path: string, job: number, line: string): Promise<void>;
}

export function projects(world: World, call: Call): Projects {
  let count = 0;
  const pause = async () => new Promise((resolve) => setTimeout(resolve, 20));
  return {
    async create(yaml, setUp, files = {}) {
      count += 1;
      const path = `ci/p${count}`;
      world.gitlab.createProject(path);
      setUp?.(path);
      const content = new Map(Object.entries({ '.gitlab-ci.yml': yaml, ...files }));
      const sha = await world.gitlab.seed(path, content, `first ${count}`);
      return { path, url: `/projects/${encodeURIComponent(path)}`, sha };
    },
    async outcome(url) {
      await world.gitlab.waitForPipelines();
      const [pipeline] = (await call('GET', `${url}/pipelines`)).body;
      const jobs = (await call('GET', `${url}/pipelines/${pipeline.id}/jobs`)).body as Job[];
      return {
        pipeline,
        jobs: Object.fromEntries(jobs.map((job) => [job.name, job])),
        states: Object.fromEntries(jobs.map((job) => [job.name, job.status])),
      };
    },
    async runningJob(path, name) {
      for (;;) {
        const found = world.events.find(
          (event) =>
            event.type === 'job' && event.project === path && event.name === name && event.status === 'running',
        );
        if (found?.type === 'job') return found.id;
        await pause();
      }
    },
    async untilLogged(path, job, line) {
      while (!world.gitlab.jobLog(path, job).split('\n').includes(line)) await pause();
    },
  };
}

/** A GitLab with projects below the group `ci`, and a maintainer who calls it. */
export interface CiWorld {
  readonly world: World;
  readonly call: Call;
  readonly all: Projects;
}

export async function startCi(options: Partial<GitLabOptions> = {}): Promise<CiWorld> {
  const world = await startWorld(options);
  const call = world.as(world.gitlab.createUser('maintainer', { memberships: { ci: 40 } }).token);
  return { world, call, all: projects(world, call) };
}
