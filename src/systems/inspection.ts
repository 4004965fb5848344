import type { Cluster } from './cluster.ts';

/** Deeper looks at the systems, for doctor: rights, settings and versions rather than deliveries. */

/** A token about itself (`/personal_access_tokens/self`, which answers for project and group tokens too). */
export interface InspectedToken {
  readonly name: string;
  readonly userId: number | null;
  readonly scopes: readonly string[];
  /** `YYYY-MM-DD`; null: never. */
  readonly expiresAt: string | null;
}

export interface InspectedUser {
  readonly id: number;
  readonly username: string;
  /** null: GitLab does not say. */
  readonly bot: boolean | null;
}

/** Cleanup policy of a project's registry. Patterns are RE2 and must match a tag's whole name. */
export interface CleanupPolicy {
  readonly enabled: boolean;
  readonly cadence: string;
  /** So many newest tags of each repository stay; null: none is kept for that. */
  readonly keepNewest: number | null;
  /** e.g. `90d`; null: age does not matter. */
  readonly olderThan: string | null;
  readonly remove: string | null;
  readonly keep: string | null;
}

export interface InspectedProject {
  readonly id: number;
  readonly path: string;
  readonly defaultBranch: string | null;
  readonly archived: boolean;
  /** Is its container registry on? null: GitLab does not say. */
  readonly registry: boolean | null;
  readonly cleanup: CleanupPolicy | null;
  /** Of the token's user: 10 guest … 50 owner; null: no member. */
  readonly accessLevel: number | null;
}

export interface InspectedBranch {
  readonly protected: boolean;
  /** May this token's user push to it? null: GitLab does not say. */
  readonly canPush: boolean | null;
  readonly developersCanMerge: boolean;
  /** Its tip. */
  readonly sha: string | null;
}

export interface InspectedDeployToken {
  readonly name: string;
  readonly username: string;
  readonly scopes: readonly string[];
  readonly expiresAt: string | null;
  readonly active: boolean;
}

/** A CI/CD variable of a project, without its value. */
export interface InspectedVariable {
  readonly key: string;
  readonly protected: boolean;
  readonly masked: boolean;
  readonly file: boolean;
  /** Environments that get it, `*`: all. */
  readonly scope: string;
}

/** Reads answer null for 404; Faults `token_refused` (401, 403) and `gitlab_unavailable`. */
export interface GitLabInspection {
  readonly url: string;
  version(): Promise<string | null>;
  user(): Promise<InspectedUser | null>;
  /** null for tokens that are no access tokens. */
  ownToken(): Promise<InspectedToken | null>;
  project(project: string): Promise<InspectedProject | null>;
  branch(project: string, branch: string): Promise<InspectedBranch | null>;
  /** `pushers` in GitLab's words, e.g. `Maintainers`; names may hold `*`. */
  protectedBranches(
    project: string,
  ): Promise<
    readonly { readonly name: string; readonly pushers: readonly string[]; readonly forcePush: boolean }[] | null
  >;
  deployTokens(project: string): Promise<readonly InspectedDeployToken[] | null>;
  variables(project: string): Promise<readonly InspectedVariable[] | null>;
  /** What GitLab finds wrong in the project's pipeline file at a branch. */
  pipelineErrors(projectId: number, ref: string): Promise<readonly string[] | null>;
  agents(project: string): Promise<readonly { readonly id: number; readonly name: string }[] | null>;
  /** Names of the statuses on a commit. */
  statusNames(project: string, sha: string): Promise<readonly string[] | null>;
  /** Text of a file at a branch. */
  file(project: string, path: string, ref: string): Promise<string | null>;
}

/** What a registry lets a credential do in one repository. */
export interface RegistryAccess {
  /** How it asks who comes: not at all, by password, or by its token service. */
  readonly by: 'nothing' | 'password' | 'token';
  /** null: it does not tell before something is tried. */
  readonly actions: readonly string[] | null;
}

/** A user and password that are not those of the environment, e.g. Flux's. */
export interface GivenCredential {
  readonly user: string;
  readonly password: string;
}

/** Rejects with Fault `token_refused` (the credential is wrong) and `registry_unavailable`. */
export interface RegistryInspection {
  /** Is there a credential for the host of this repository? */
  knows(repository: string): boolean;
  access(repository: string, given?: GivenCredential): Promise<RegistryAccess>;
}

/** What RBAC is asked about. */
export interface AccessQuestion {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  /** Absent: all namespaces. */
  readonly namespace?: string;
  readonly name?: string;
}

/** A cluster that also tells of itself and of what the credential may do. Faults as `Cluster`. */
export interface ClusterInspection extends Cluster {
  /** SelfSubjectAccessReview; null where the API server does not answer it. */
  may(question: AccessQuestion): Promise<boolean | null>;
  /** SelfSubjectReview (Kubernetes 1.28 and newer); null where it is not there. */
  whoAmI(): Promise<{ readonly user: string; readonly groups: readonly string[] } | null>;
  /** Names of the API groups that are served. */
  apiGroups(): Promise<ReadonlySet<string>>;
  /** When a CustomResourceDefinition was made, in milliseconds; null where it is not there or may not be read. */
  definitionMade(name: string): Promise<number | null>;
  version(): Promise<string>;
}
