import type { Fault } from '../../fault.ts';
import type { InspectedBranch, InspectedProject } from '../../systems/inspection.ts';
import { judge, type Check, type Finding } from './finding.ts';

/** A project as one token sees it. */
export interface ProjectFacts {
  /** Path as sluice.yaml or the command line names it. */
  readonly path: string;
  /** Variable of the token. */
  readonly variable: string;
  /** null: 404, not there or not to be seen. */
  readonly project: InspectedProject | null;
  /** The branch that statuses are posted for. */
  readonly branch: (InspectedBranch & { readonly name: string }) | null;
  readonly refusal: Fault | null;
}

const ROLES: Readonly<Record<number, string>> = {
  5: 'Minimal access',
  10: 'Guest',
  15: 'Planner',
  20: 'Reporter',
  30: 'Developer',
  40: 'Maintainer',
  50: 'Owner',
};

/** Judges whether a token may post statuses in a project: it must see it, with Developer or more (Maintainer for protected branches). */
export function judgeProject(check: Check, facts: ProjectFacts): readonly Finding[] {
  const { path, variable, project, branch, refusal } = facts;
  const { ok, warn, fault, unknown } = judge(check, path);
  if (refusal !== null) {
    return refusal.code === 'token_refused'
      ? [fault('project-refused', 'token_refused', refusal.message, `Store a token of ${path} in ${variable}.`)]
      : [unknown('project-unknown', refusal.message, 'Repair the way to GitLab first.')];
  }
  if (project === null) {
    return [
      fault(
        'project-missing',
        'token_refused',
        `GitLab shows no project ${path} to ${variable}: the path is wrong, or the token is of another project`,
        `Store a project access token of ${path} (Developer or more, scope api) in ${variable}.`,
      ),
    ];
  }
  if (project.archived)
    return [fault('project-archived', 'token_refused', 'is archived: nobody can write to it', 'Unarchive it.')];
  const level = project.accessLevel ?? 0;
  const role = ROLES[level] ?? `level ${level}`;
  if (level < 30) {
    return [
      fault(
        'role',
        'token_refused',
        `${variable} has the role ${level === 0 ? '(none)' : role} in ${path}; statuses need Developer or more`,
        `Make the token anew with the role Maintainer, and store it in ${variable}.`,
      ),
    ];
  }
  if (branch?.protected === true && branch.canPush === false && !branch.developersCanMerge && level < 40) {
    return [
      fault(
        'role',
        'token_refused',
        `${variable} has the role ${role}, and ${branch.name} is protected: GitLab refuses its statuses (403)`,
        `Make the token anew with the role Maintainer, and store it in ${variable}.`,
      ),
    ];
  }
  if (level >= 50) {
    return [
      warn(
        'role-wide',
        `${variable} has the role ${role} in ${path}; Maintainer does`,
        `Make the token anew with the role Maintainer, and store it in ${variable}.`,
      ),
    ];
  }
  return [ok('role', `${variable} has the role ${role}`)];
}
