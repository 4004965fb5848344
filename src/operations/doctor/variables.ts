import type { Pair } from '../../config/config.ts';
import type { InspectedVariable } from '../../systems/inspection.ts';
import { judge, type Finding } from './finding.ts';

/** Variables that hold a credential of the delivery project's jobs, beside those of Receivers. */
const SECRET =
  /^(SLUICE_(GITLAB_TOKEN(_[A-Z0-9_]+)?|GIT_TOKEN|REGISTRY_PASSWORD|COSIGN_KEY|COMMIT_SIGNING_KEY)|COSIGN_PASSWORD|KUBECONFIG)$/;

/**
 * Judges how the delivery project keeps sluice's credentials: protected, and masked where they are no files (GitLab
 * masks no text of several lines). `variables` null: not to be seen. `reachable` false: the branch is not protected, so
 * that a protected variable would not reach it.
 */
export function judgeVariables(
  project: string,
  variables: readonly InspectedVariable[] | null,
  pairs: readonly Pair[],
  reachable: boolean,
): readonly Finding[] {
  const { ok, warn, unknown } = judge('token', project);
  if (variables === null) {
    return [
      unknown(
        'variables-unknown',
        'its CI/CD variables may not be seen by this token',
        'Give a token with the role Maintainer, or look yourself: Settings > CI/CD > Variables.',
      ),
    ];
  }
  const receivers = pairs.flatMap(({ environment }) =>
    environment.clusters.flatMap(({ receiver }) => receiver?.secretEnv ?? []),
  );
  const own = variables.filter(({ key }) => SECRET.test(key) || receivers.includes(key));
  const open = own.flatMap((variable) => {
    const missing = [
      ...(variable.protected || !reachable ? [] : ['protected']),
      ...(variable.masked || variable.file ? [] : ['masked']),
    ];
    if (missing.length === 0) return [];
    const name = variable.scope === '*' ? variable.key : `${variable.key} (${variable.scope})`;
    const harm = missing[0] === 'protected' ? 'jobs of any branch can read it' : 'a job log can show it';
    return warn(
      'variable-open',
      `the CI/CD variable ${name} is not ${missing.join(' and not ')}: ${harm}`,
      `Make ${name} ${missing.join(' and ')}: Settings > CI/CD > Variables.`,
    );
  });
  if (open.length > 0 || own.length === 0) return open;
  const names = [...new Set(own.map(({ key }) => key))].join(', ');
  return [ok('variables', `keeps its CI/CD variables as it should: ${names}`)];
}
