import { ancestors } from './lookup.ts';
import type { DeployToken, Group, Project, Row, State, Token, User } from './state.ts';

/** Who asks. */
export type Identity =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'user'; readonly user: User; readonly token: Token }
  | { readonly kind: 'job'; readonly user: User; readonly row: Row; readonly project: Project }
  | { readonly kind: 'deploy'; readonly token: DeployToken }
  | { readonly kind: 'refused'; readonly reason: 'unknown' | 'revoked' | 'expired' };

/** Has the date (`YYYY-MM-DD`, midnight UTC) come? */
export function expired(state: State, expiresAt: string | null): boolean {
  return expiresAt !== null && Date.parse(expiresAt) <= state.clock.now();
}

/** The identity behind a credential of any kind. Does not look at scopes. */
export function identify(state: State, value: string): Identity {
  const token = state.tokens.find((candidate) => candidate.value === value);
  if (token) {
    if (token.revoked) return { kind: 'refused', reason: 'revoked' };
    if (expired(state, token.expiresAt)) return { kind: 'refused', reason: 'expired' };
    token.lastUsedAt = state.time();
    return { kind: 'user', user: token.user, token };
  }
  const deploy = state.deployTokens.find((candidate) => candidate.value === value);
  if (deploy) {
    if (deploy.revoked) return { kind: 'refused', reason: 'revoked' };
    return expired(state, deploy.expiresAt)
      ? { kind: 'refused', reason: 'expired' }
      : { kind: 'deploy', token: deploy };
  }
  return identifyJob(state, value);
}

/** The running job behind a job token; tokens die with their job. */
export function identifyJob(state: State, value: string): Identity {
  for (const row of state.rows.values()) {
    if (row.job?.token !== value) continue;
    if (!row.job.alive) return { kind: 'refused', reason: 'expired' };
    return { kind: 'job', user: row.user, row, project: row.pipeline.project };
  }
  return { kind: 'refused', reason: 'unknown' };
}

/** Highest role of a user in a project, from the project and all groups above; 0 = none. */
export function accessLevel(state: State, user: User, project: Project): number {
  if (user.admin) return 50;
  const levels = [project.members.get(user.id), ...ancestors(state, project.path).map((g) => g.members.get(user.id))];
  return Math.max(0, ...levels.filter((level) => level !== undefined));
}

/** Highest role of a user in a group, from it and all groups above. */
export function groupAccessLevel(state: State, user: User, group: Group): number {
  if (user.admin) return 50;
  const levels = [group, ...ancestors(state, group.path)].map((each) => each.members.get(user.id));
  return Math.max(0, ...levels.filter((level) => level !== undefined));
}

/** May this identity see the project at all? */
export function canSee(state: State, identity: Identity, project: Project): boolean {
  if (project.visibility === 'public') return true;
  if (identity.kind === 'user')
    return project.visibility === 'internal' || accessLevel(state, identity.user, project) > 0;
  if (identity.kind === 'job') return jobMayReach(state, identity, project);
  return false;
}

/** A job token reaches its own project, and those that list it and where its user has a role. */
export function jobMayReach(state: State, identity: Identity & { readonly kind: 'job' }, project: Project): boolean {
  if (identity.project === project) return true;
  const own = identity.project.path;
  const listed = project.jobTokenAllowlist.some((entry) => own === entry || own.startsWith(`${entry}/`));
  return listed && accessLevel(state, identity.user, project) > 0;
}

/** Does the token carry one of the scopes? */
export function hasScope(identity: Identity, ...scopes: readonly string[]): boolean {
  if (identity.kind === 'job') return true;
  if (identity.kind !== 'user' && identity.kind !== 'deploy') return false;
  return identity.token.scopes.some((scope) => scopes.includes(scope));
}

/** The protection that covers a branch (exact name or `*` pattern), or undefined. */
export function protection(project: Project, branch: string): Project['protectedBranches'][number] | undefined {
  const matches = (pattern: string) =>
    new RegExp(
      `^${pattern
        .split('*')
        .map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'))
        .join('.*')}$`,
    ).test(branch);
  return (
    project.protectedBranches.find((each) => each.name === branch) ??
    project.protectedBranches.find((each) => each.name.includes('*') && matches(each.name))
  );
}

/** May the user push to (or merge into) the branch? Developer and above on branches without protection. */
export function mayChange(state: State, user: User, project: Project, branch: string, way: 'push' | 'merge'): boolean {
  const level = accessLevel(state, user, project);
  if (level < 30) return false;
  const rule = protection(project, branch);
  if (!rule || rule.users.includes(user.username)) return true;
  const wanted = way === 'push' ? rule.push : rule.merge;
  return wanted !== 0 && level >= wanted;
}

/** May the user change pipelines of this ref? (`update_pipeline`: on protected refs those who may push or merge.) */
export function mayUpdatePipeline(state: State, user: User, project: Project, ref: string): boolean {
  return mayChange(state, user, project, ref, 'push') || mayChange(state, user, project, ref, 'merge');
}
