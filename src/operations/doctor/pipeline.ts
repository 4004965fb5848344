import { judge, type Finding } from './finding.ts';

/**
 * Judges what GitLab says of the delivery project's pipeline file, as the token's user: components are read by whoever
 * starts a pipeline, and `update` pushes as this user. `errors` null: there is no such file, or it may not be seen.
 */
export function judgePipeline(project: string, errors: readonly string[] | null): readonly Finding[] {
  if (errors === null) return [];
  const { ok, fault } = judge('config', `${project}: .gitlab-ci.yml`);
  return errors.length === 0
    ? [ok('pipeline', 'is valid')]
    : [
        fault(
          'pipeline-invalid',
          'config_invalid',
          `GitLab starts no pipeline from it: ${errors.join('; ')}`,
          'Correct it in the pipeline editor (Build > Pipeline editor), which shows the place.',
        ),
      ];
}
