import type { Clock } from '../../src/systems/clock.ts';

/** GitLab releases whose behaviour can be chosen. */
export type Profile = '17.11' | '18.6' | '19.4';

export interface GitLabOptions {
  /** Temporary folder for repositories and checkouts; everything is written below it. */
  readonly folder: string;
  /** Time; default the wall clock. */
  readonly clock?: Clock;
  /** Environment of git and of the jobs: PATH (node, git, rsync, and what jobs call), nothing else is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Container registry that projects use; can be set later by `useRegistry`. */
  readonly registry?: RegistryPlace;
  /** Added to each answer of the REST API, milliseconds. */
  readonly latencyMs?: number;
  /** Default '18.6'. */
  readonly profile?: Profile;
  /** Newer servers answer 201 where the status already has the state. */
  readonly idempotentStatuses?: boolean;
  /** One line per request and event, without credentials. */
  readonly log?: (line: string) => void;
}

/** The registry as GitLab sees it. `tags` feeds the page; repository without host. */
export interface RegistryPlace {
  /** `host:port`. */
  readonly host: string;
  readonly tags?: (repository: string) => Promise<readonly { readonly name: string; readonly digest: string }[]>;
}

/** Cleanup policy of a project's registry, as GitLab's API writes it. */
export interface CleanupFields {
  readonly enabled: boolean;
  /** `1d`, `7d`, `14d`, `1month`, `3month`. */
  readonly cadence: string;
  readonly keep_n: number | null;
  /** `7d`, `14d`, `30d`, `60d`, `90d`. */
  readonly older_than: string | null;
  /** What is removed. */
  readonly name_regex: string | null;
  readonly name_regex_keep: string | null;
}

/** 10 guest · 20 reporter · 30 developer · 40 maintainer · 50 owner. */
export type AccessLevel = 10 | 20 | 30 | 40 | 50;

export interface ProjectHandle {
  readonly id: number;
  /** Full path, e.g. `shop/podinfo`. */
  readonly path: string;
  /** Clone address without credentials, ends in `.git`. */
  readonly httpUrl: string;
  readonly webUrl: string;
}

export interface TokenHandle {
  readonly id: number;
  readonly token: string;
  /** The bot (or person) that acts. */
  readonly username: string;
}

export interface VariableFields {
  readonly key: string;
  readonly value: string;
  /** Only in pipelines of protected branches and tags. */
  readonly protected?: boolean;
  /** `[MASKED]` in job logs. */
  readonly masked?: boolean;
  /** The job gets the path of a file with the value. */
  readonly file?: boolean;
  /** false: variables in it are expanded, as in what triggers and the API send; default: taken as it is. */
  readonly raw?: boolean;
  /** `*` (default), a name, or a pattern such as `review/*`. */
  readonly environmentScope?: string;
}

/** What happened, in order; `at` is in milliseconds since the epoch. */
export type GitLabEvent = { readonly at: number; readonly project: string } & (
  | {
      readonly type: 'push';
      readonly ref: string;
      readonly before: string;
      readonly after: string;
      readonly username: string;
      readonly subject: string;
    }
  | {
      readonly type: 'pipeline';
      readonly id: number;
      readonly sha: string;
      readonly ref: string;
      readonly source: string;
      readonly status: string;
      /** Why the CI configuration could not be read; such a pipeline has no jobs. */
      readonly yamlErrors: string | null;
    }
  | {
      readonly type: 'job';
      readonly id: number;
      readonly pipeline: number;
      readonly name: string;
      readonly stage: string;
      readonly status: string;
      readonly exitCode: number | null;
    }
  | {
      readonly type: 'status';
      readonly id: number;
      readonly pipeline: number;
      readonly sha: string;
      readonly name: string;
      readonly state: string;
      readonly description: string | null;
      readonly username: string;
    }
  | {
      readonly type: 'merge_request';
      readonly iid: number;
      readonly action: 'open' | 'update' | 'merge' | 'close' | 'note';
      readonly title: string;
      readonly username: string;
    }
  | {
      readonly type: 'deployment';
      readonly id: number;
      readonly environment: string;
      readonly sha: string;
      readonly status: string;
    }
);

/** Faults that the server plays until told otherwise. */
export interface Faults {
  /** Answer 429 to the next N API requests; `plain` = text body without RateLimit headers. */
  readonly tooMany?: { readonly requests: number; readonly plain?: boolean; readonly retryAfter?: number };
  /** Answer 502 to the next N API requests. */
  readonly badGateway?: number;
  /** All requests of API and git are answered with this code (e.g. 503) until cleared. */
  readonly down?: number;
  /** Lock of a commit status is held: the next N status posts get 409. */
  readonly lockedStatuses?: number;
  /** Pagination without X-Total headers. */
  readonly noTotals?: boolean;
  /** A merge request is `checking` for so many reads after it was created or pushed to (default 1). */
  readonly checkingReads?: number;
  /** Merge requests and pipelines show up so many milliseconds after the push. */
  readonly lagMs?: number;
  /** Project and group access tokens cannot be made (GitLab.com Free). */
  readonly noProjectTokens?: boolean;
  /** Agents answer as if disconnected. */
  readonly agentsOffline?: boolean;
  /** Watches through the agent proxy are cut after so many milliseconds. */
  readonly cutWatchesMs?: number;
  /** Jobs of one pipeline beyond this many are refused (`ci_pipeline_size`). */
  readonly pipelineSize?: number;
  /** Refuse a status post after so many ms of waiting for the lock (default 10000; older servers 2000). */
  readonly lockWaitMs?: number;
}

/** Verified content of a registry token; null: anonymous. */
export interface RegistryClaims {
  readonly subject: string;
  readonly access: readonly { readonly type: string; readonly name: string; readonly actions: readonly string[] }[];
}

export interface GitLabServer {
  /** `http://127.0.0.1:PORT`, no trailing slash. */
  readonly url: string;
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Groups of a path are made as needed; `createProject` does so too. */
  createGroup(path: string): { readonly id: number; readonly path: string };
  createProject(
    path: string,
    fields?: {
      readonly visibility?: 'private' | 'internal' | 'public';
      readonly defaultBranch?: string;
      readonly mergeMethod?: 'merge' | 'rebase_merge' | 'ff';
      readonly description?: string;
    },
  ): ProjectHandle;
  /** One commit by the owner on the default branch (or `branch`), from a folder or from path → content. Answers its id. Starts a pipeline like any push unless `pipeline` is false. */
  seed(
    project: string,
    files: string | ReadonlyMap<string, string | Uint8Array>,
    message: string,
    options?: {
      readonly branch?: string;
      readonly pipeline?: boolean;
      readonly author?: { readonly name: string; readonly email: string };
      readonly tag?: string;
    },
  ): Promise<string>;
  /** Access token of a project or group path: a bot user is made. */
  createToken(
    projectOrGroup: string,
    fields: {
      readonly name: string;
      readonly scopes: readonly string[];
      readonly accessLevel?: AccessLevel;
      /** `YYYY-MM-DD`; default in 30 days. */
      readonly expiresAt?: string;
    },
  ): TokenHandle;
  createDeployToken(
    project: string,
    fields: {
      readonly name: string;
      readonly scopes: readonly string[];
      readonly username?: string;
      readonly expiresAt?: string;
    },
  ): TokenHandle;
  /** A person with a personal access token; memberships: project or group path → level. */
  createUser(
    username: string,
    fields?: {
      readonly name?: string;
      readonly memberships?: Readonly<Record<string, AccessLevel>>;
      readonly scopes?: readonly string[];
      readonly admin?: boolean;
    },
  ): TokenHandle;
  revokeToken(token: string): void;
  setVariable(projectOrGroup: string, fields: VariableFields): void;
  protectBranch(
    project: string,
    branch: string,
    fields?: { readonly push?: 0 | 30 | 40; readonly merge?: 0 | 30 | 40; readonly users?: readonly string[] },
  ): void;
  createTriggerToken(project: string, description: string): string;
  /** Tells GitLab of an agent whose settings are `.gitlab/agents/<name>/config.yaml` on the default branch of the config project. */
  registerAgent(fields: {
    readonly configProject: string;
    readonly name: string;
    readonly cluster: { readonly url: string; readonly token?: string; readonly ca?: string };
  }): { readonly id: number; readonly context: string };
  /** Commits a folder that holds templates/ to the project (made when missing, public), tags it and publishes it in the CI/CD catalog. */
  publishComponent(project: string, folder: string, version: string): Promise<string>;
  /** Releases a tag of a component project in the CI/CD catalog. */
  publishVersion(project: string, tag: string): Promise<void>;
  /** A fork that belongs to a person: branches and tags, no variables and no members of the project. */
  forkProject(project: string, path: string, username: string): Promise<ProjectHandle>;
  useRegistry(place: RegistryPlace): void;
  /** For the registry: where to send clients, and how to check what they bring. */
  readonly registryAuth: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    /** Claims of a bearer token, or null where it is not ours or has expired. */
    verify(token: string): RegistryClaims | null;
    /** JSON Web Key Set with the signing key, for registries that check themselves. */
    jwks(): { readonly keys: readonly Readonly<Record<string, string>>[] };
  };
  /** Settings that a person makes on the project's page. */
  configureProject(
    project: string,
    fields: {
      readonly jobTokenPush?: boolean;
      readonly onlyAllowMergeIfPipelineSucceeds?: boolean;
      readonly mergeMethod?: 'merge' | 'rebase_merge' | 'ff';
      readonly squash?: 'never' | 'always' | 'default_on' | 'default_off';
      readonly jobTokenAllowlist?: readonly string[];
      readonly removeSourceBranch?: boolean;
      /** Merge requests get pipelines of their merged results (Premium). */
      readonly mergedResults?: boolean;
      readonly visibility?: 'private' | 'internal' | 'public';
      /** Releases by the keyword `release` publish its components. */
      readonly catalog?: boolean;
      readonly cleanup?: CleanupFields;
    },
  ): void;
  setFaults(faults: Faults): void;
  on(listener: (event: GitLabEvent) => void): () => void;
  /** Resolves when no pipeline is pending or running (manual jobs do not count). */
  waitForPipelines(options?: { readonly timeoutMs?: number }): Promise<void>;
  /** Log of a job as the page shows it (masked). */
  jobLog(project: string, jobId: number): string;
  /** Every byte that jobs printed, unmasked, for leak searches. */
  rawLogs(): string;
  /** Pipelines and jobs end, the port is closed; the folder stays. */
  stop(): Promise<void>;
}
