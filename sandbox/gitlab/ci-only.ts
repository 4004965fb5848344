import { holds } from './ci-expression.ts';
import type { Values } from './ci-variables.ts';

/** `only` and `except` of jobs without rules (lib/gitlab/ci/build/policy of GitLab; paths and `changes` are not looked at). */

const keywords: Readonly<Record<string, (values: Values) => boolean>> = {
  branches: (values) => values['CI_COMMIT_BRANCH'] !== undefined,
  tags: (values) => values['CI_COMMIT_TAG'] !== undefined,
  merge_requests: from('merge_request_event'),
  api: from('api'),
  pushes: from('push'),
  schedules: from('schedule'),
  triggers: from('trigger'),
  web: from('web'),
  pipelines: from('pipeline'),
};

function from(source: string): (values: Values) => boolean {
  return (values) => values['CI_PIPELINE_SOURCE'] === source;
}

/** Is the job in this pipeline, as far as `only` and `except` say? Without `only` it is in those of branches and tags. */
export function isIn(job: Readonly<Record<string, unknown>>, values: Values): boolean {
  if (Array.isArray(job['rules'])) return true;
  const only = policyOf(job['only'] ?? ['branches', 'tags']);
  const except = job['except'] === undefined ? null : policyOf(job['except']);
  return fits(only, values) && !(except !== null && fits(except, values));
}

interface Policy {
  readonly refs: readonly string[] | null;
  readonly variables: readonly string[] | null;
}

function policyOf(given: unknown): Policy {
  if (typeof given === 'string' || Array.isArray(given)) return { refs: [given].flat().map(String), variables: null };
  const { refs, variables } = given as { readonly refs?: readonly string[]; readonly variables?: readonly string[] };
  return { refs: refs ?? null, variables: variables ?? null };
}

function fits({ refs, variables }: Policy, values: Values): boolean {
  const name = values['CI_COMMIT_TAG'] ?? values['CI_COMMIT_BRANCH'] ?? '';
  const named = (pattern: string) => {
    const [, source, flags] = /^\/(.*)\/(\w*)$/.exec(pattern) ?? [];
    if (source !== undefined) return new RegExp(source, flags).test(name);
    return keywords[pattern]?.(values) ?? pattern === name;
  };
  return (refs === null || refs.some(named)) && (variables === null || variables.some((each) => holds(each, values)));
}
