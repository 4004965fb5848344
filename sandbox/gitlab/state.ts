import type { KeyObject } from 'node:crypto';
import type { Clock } from '../../src/systems/clock.ts';
import type { JobPart } from './ci-jobs.ts';
import type { Hook, ProtectedBranch, RegistryRule, Release } from './project-parts.ts';
import type {
  AccessLevel,
  CleanupFields,
  Faults,
  GitLabEvent,
  Profile,
  RegistryPlace,
  VariableFields,
} from './handle.ts';

/** What the simulated GitLab remembers. Mutable: this is its database. Times are ISO 8601. */

export interface User {
  readonly id: number;
  readonly username: string;
  readonly name: string;
  readonly email: string;
  readonly bot: boolean;
  readonly admin: boolean;
}

/** Personal, project or group access token. */
export interface Token {
  readonly id: number;
  readonly value: string;
  readonly kind: 'personal' | 'project' | 'group';
  readonly user: User;
  /** Path of the project or group whose token it is. */
  readonly resource: string | null;
  readonly name: string;
  readonly description: string | null;
  readonly scopes: readonly string[];
  readonly accessLevel: AccessLevel;
  readonly createdAt: string;
  /** `YYYY-MM-DD` */
  readonly expiresAt: string | null;
  /** Tokens that came from one another by rotation share it. */
  readonly family: number;
  revoked: boolean;
  lastUsedAt: string | null;
}

export interface DeployToken {
  readonly id: number;
  readonly name: string;
  readonly username: string;
  readonly value: string;
  readonly scopes: readonly string[];
  /** ISO 8601 or null. */
  readonly expiresAt: string | null;
  readonly project: Project | null;
  readonly group: Group | null;
  revoked: boolean;
}

export interface Group {
  readonly id: number;
  readonly path: string;
  readonly members: Map<number, AccessLevel>;
  readonly variables: VariableFields[];
}

export interface Environment {
  readonly id: number;
  readonly name: string;
  readonly slug: string;
  externalUrl: string | null;
  description: string | null;
  tier: string;
  state: 'available' | 'stopped';
  clusterAgentId: number | null;
  kubernetesNamespace: string | null;
  fluxResourcePath: string | null;
  autoStopSetting: string;
  readonly createdAt: string;
  updatedAt: string;
}

export interface Deployment {
  readonly id: number;
  readonly iid: number;
  readonly environment: Environment;
  readonly sha: string;
  readonly ref: string;
  readonly tag: boolean;
  readonly user: User;
  readonly createdAt: string;
  updatedAt: string;
  status: string;
  readonly job: Row | null;
}

export interface Note {
  readonly id: number;
  body: string;
  readonly author: User;
  readonly system: boolean;
  readonly createdAt: string;
  updatedAt: string;
}

export interface MergeRequest {
  readonly id: number;
  readonly iid: number;
  readonly project: Project;
  /** Where its branch is; a fork, or the project itself. */
  readonly sourceProject: Project;
  readonly author: User;
  readonly createdAt: string;
  readonly sourceBranch: string;
  targetBranch: string;
  title: string;
  description: string;
  labels: readonly string[];
  state: 'opened' | 'closed' | 'merged';
  sha: string;
  /** Target branch when it was opened or merged. */
  baseSha: string;
  updatedAt: string;
  mergedAt: string | null;
  closedAt: string | null;
  mergeUser: User | null;
  mergeCommit: string | null;
  squashCommit: string | null;
  squash: boolean;
  removeSourceBranch: boolean;
  autoMerge: { readonly user: User; readonly options: Readonly<Record<string, unknown>> } | null;
  readonly notes: Note[];
  headPipeline: Pipeline | null;
  /** Reads that still answer `checking`. */
  checking: number;
  /** Milliseconds since the epoch from which it is shown. */
  readonly visibleAt: number;
}

export interface Agent {
  readonly id: number;
  readonly name: string;
  readonly configProject: Project;
  readonly createdAt: string;
  readonly cluster: { readonly url: string; readonly token?: string; readonly ca?: string };
}

export interface Pipeline {
  readonly id: number;
  readonly iid: number;
  readonly project: Project;
  readonly sha: string;
  readonly ref: string;
  readonly tag: boolean;
  readonly beforeSha: string;
  readonly source: string;
  readonly user: User;
  readonly createdAt: string;
  readonly visibleAt: number;
  readonly protectedRef: boolean;
  readonly mergeRequest: MergeRequest | null;
  /** Of a merge request pipeline: the head that it is for, and of a merged result the target branch then. */
  readonly sourceSha: string | null;
  readonly targetSha: string | null;
  /** The trigger job that started it. */
  readonly upstream: Row | null;
  /** What `rules:changes` compares with. */
  readonly changesBase: string | null;
  readonly variables: readonly VariableFields[];
  readonly rows: Row[];
  status: string;
  updatedAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  yamlErrors: string | null;
  archived: boolean;
}

/** A row of a pipeline: a CI job, or an external status. */
export interface Row {
  readonly id: number;
  /** `bridge`: a trigger job. */
  readonly kind: 'job' | 'bridge' | 'external';
  readonly pipeline: Pipeline;
  readonly name: string;
  readonly stage: string;
  readonly stageIndex: number;
  readonly user: User;
  readonly createdAt: string;
  status: string;
  description: string | null;
  targetUrl: string | null;
  coverage: number | null;
  allowFailure: boolean;
  startedAt: string | null;
  finishedAt: string | null;
  queuedAt: string | null;
  retried: boolean;
  failureReason: string | null;
  /** Only jobs. */
  readonly job: JobPart | null;
  /** What a trigger job has started. */
  downstream: Pipeline | null;
}

/** Signs JSON Web Tokens (RS256). */
export interface Signer {
  readonly keyId: string;
  readonly publicKey: KeyObject;
  sign(claims: Readonly<Record<string, unknown>>): string;
}

export interface Project {
  readonly id: number;
  readonly path: string;
  readonly name: string;
  readonly createdAt: string;
  /** Bare repository. */
  readonly repository: string;
  readonly members: Map<number, AccessLevel>;
  readonly variables: VariableFields[];
  readonly protectedBranches: ProtectedBranch[];
  readonly pipelines: Pipeline[];
  readonly mergeRequests: MergeRequest[];
  readonly environments: Environment[];
  readonly deployments: Deployment[];
  readonly triggers: { readonly token: string; readonly description: string; readonly user: User }[];
  readonly resourceModes: Map<string, string>;
  readonly freezePeriods: { id: number; freeze_start: string; freeze_end: string; cron_timezone: string }[];
  readonly deployKeys: { id: number; title: string; key: string; can_push: boolean; created_at: string }[];
  readonly releases: Release[];
  readonly hooks: Hook[];
  readonly registryRules: RegistryRule[];
  /** Cleanup policy of the registry. */
  cleanup: CleanupFields;
  readonly forkedFrom: Project | null;
  /** Do merge requests get pipelines of their merged results? */
  mergedResults: boolean;
  /** Are its components in the CI/CD catalog? */
  catalog: boolean;
  description: string;
  visibility: 'private' | 'internal' | 'public';
  defaultBranch: string;
  mergeMethod: 'merge' | 'rebase_merge' | 'ff';
  squash: 'never' | 'always' | 'default_on' | 'default_off';
  jobTokenPush: boolean;
  onlyAllowMergeIfPipelineSucceeds: boolean;
  removeSourceBranch: boolean;
  jobTokenAllowlist: readonly string[];
}

/** Everything, and the few acts that all parts share. */
export interface State {
  readonly folder: string;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string>>;
  readonly profile: Profile;
  readonly idempotentStatuses: boolean;
  readonly latencyMs: number;
  readonly log: (line: string) => void;
  url: string;
  host: string;
  registry: RegistryPlace | null;
  /** Registry repositories (without host) that a push was ever granted for, with the time. */
  readonly registryRepositories: Map<string, { readonly id: number; readonly createdAt: string }>;
  faults: Faults;
  readonly users: Map<number, User>;
  readonly tokens: Token[];
  readonly deployTokens: DeployToken[];
  readonly groups: Map<string, Group>;
  readonly projects: Map<string, Project>;
  readonly agents: Agent[];
  readonly signer: Signer;
  readonly rows: Map<number, Row>;
  readonly pipelines: Map<number, Pipeline>;
  next(kind: string): number;
  /** Now, as GitLab writes it. */
  time(): string;
  emit(event: WithoutTime<GitLabEvent>): void;
  readonly listeners: Set<(event: GitLabEvent) => void>;
}

type WithoutTime<T> = T extends unknown ? Omit<T, 'at'> : never;
