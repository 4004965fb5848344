import type { InspectedBranch } from '../../systems/inspection.ts';
import { judge, type Finding } from './finding.ts';

/** The branch of the delivery repository that is delivered. */
export interface BranchFacts {
  readonly project: string;
  readonly name: string;
  /** null: it is not there. */
  readonly branch: InspectedBranch | null;
  /** Rules for protected branches; null where they may not be read. */
  readonly rules:
    | readonly { readonly name: string; readonly pushers: readonly string[]; readonly forcePush: boolean }[]
    | null;
  /** Environments whose changes are pushed. */
  readonly pushed: readonly string[];
}

/** Judges the delivery branch: there, protected, and open to the bot that pushes. */
export function judgeBranch({ project, name, branch, rules, pushed }: BranchFacts): readonly Finding[] {
  const { ok, warn, fault } = judge('branch', `${project}@${name}`);
  if (branch === null)
    return [
      fault(
        'branch-missing',
        'branch_missing',
        `${project} has no branch ${name}`,
        'Push a first commit, or name the branch with --branch.',
      ),
    ];
  const mine = rules?.filter((rule) => covers(rule.name, name)) ?? [];
  const pushers = [...new Set(mine.flatMap((rule) => rule.pushers))].join(', ');
  const findings: Finding[] = [];
  if (!branch.protected) {
    findings.push(
      warn(
        'branch-open',
        'is not protected: every Developer can deliver, and protected variables do not reach its pipelines',
        `Protect ${name} (Settings > Repository > Protected branches).`,
      ),
    );
  } else findings.push(ok('branch-protected', `is protected${pushers === '' ? '' : `; may push: ${pushers}`}`));
  if (branch.canPush === false && pushed.length > 0) {
    findings.push(
      fault(
        'branch-push',
        'push_refused',
        `the token may not push, and changes for ${pushed.join(', ')} are pushed${pushers === '' ? '' : ` (may push: ${pushers})`}`,
        `Set \`changes: merge-request\` for ${pushed.join(', ')} in sluice.yaml, or allow the token’s user to push to ${name}.`,
      ),
    );
  }
  if (mine.some((rule) => rule.forcePush)) {
    findings.push(
      warn(
        'branch-force',
        'permits force pushes: a delivered commit can vanish from the history',
        `Forbid force pushes to ${name}.`,
      ),
    );
  }
  return findings;
}

/** Does a rule's name, with `*` for any text, cover a branch? */
function covers(rule: string, branch: string): boolean {
  const pattern = rule.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${pattern.join('.*')}$`).test(branch);
}
