import type { User } from './state.ts';

/** What a project's settings hold. */

export interface ProtectedBranch {
  readonly id: number;
  readonly name: string;
  push: 0 | 30 | 40;
  merge: 0 | 30 | 40;
  users: readonly string[];
  forcePush: boolean;
}

/** A webhook: kept and shown, never called. */
export interface Hook {
  readonly id: number;
  readonly url: string;
  readonly push: boolean;
  readonly pipelines: boolean;
  readonly createdAt: string;
}

/** Lowest roles that may push to, and delete, repositories of the registry. */
export interface RegistryRule {
  readonly id: number;
  readonly pattern: string;
  readonly push: string | null;
  readonly remove: string | null;
}

/** A release of a project; of a catalog project also a published version of its components. */
export interface Release {
  readonly tag: string;
  readonly sha: string;
  readonly name: string;
  readonly description: string;
  readonly createdAt: string;
  readonly author: User;
}
