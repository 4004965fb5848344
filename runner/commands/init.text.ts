import type { Config } from '../../src/config/config.ts';
import type { BootstrapStep } from '../../src/operations/init/bootstrap.ts';
import type { Proposal } from '../../src/operations/init/proposal.ts';
import type { GitLabMergeRequest } from '../../src/systems/gitlab.ts';
import type { CommandResult } from '../command.ts';

/** What `init` tells. */
export interface InitTold {
  readonly proposal: Proposal;
  readonly steps: readonly BootstrapStep[];
  readonly assumed: readonly string[];
  readonly request: GitLabMergeRequest | null;
  readonly dryRun: boolean;
  readonly config: Config;
}

/** The proposal as text and record. */
export function initResult({ proposal, steps, assumed, request, dryRun, config }: InitTold): CommandResult {
  const { files, elsewhere, notes } = proposal;
  const added = files.filter(({ state }) => state === 'new');
  const differs = files.filter(({ state }) => state === 'differs');
  const outcome = dryRun
    ? 'planned'
    : added.length === 0
      ? 'unchanged'
      : request === null
        ? 'written'
        : 'merge-request';
  const verb =
    outcome === 'planned' ? 'Would be written' : outcome === 'merge-request' ? 'In the merge request' : 'Written';
  const text = [
    ...(dryRun ? [added.map(({ diff }) => diff).join('')] : []),
    ...(request === null ? [] : [request.url, '']),
    ...section(
      verb,
      added.map(({ path }) => path),
    ),
    ...section(
      'Left as they are, and to be changed by a person',
      differs.flatMap(({ path, diff }) => [path, ...indented(diff)]),
    ),
    ...section(
      'For other projects',
      elsewhere.flatMap((file) => [`${file.project}: ${file.path}`, ...indented(file.text)]),
    ),
    ...section('Taken for granted', [...assumed, ...notes]),
    'Once, by hand:',
    stepsText(steps),
  ].join('\n');
  return {
    record: {
      outcome,
      environments: config.environments.map(({ name }) => name),
      apps: config.apps.map(({ name }) => name),
      files: files.map(({ path, state, diff, text: content }) => ({
        path,
        state,
        ...(state === 'same' ? {} : { diff }),
        ...(state === 'new' ? { text: content } : {}),
      })),
      elsewhere,
      assumptions: [...assumed, ...notes],
      bootstrap: steps,
      mergeRequest: request === null ? null : { iid: request.iid, url: request.url, branch: request.branch },
    },
    text,
    exit: 0,
  };
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`${title}:`, ...lines.map((line) => (line === '' ? '' : `  ${line}`)), ''];
}

function indented(text: string): readonly string[] {
  return [
    ...text
      .trimEnd()
      .split('\n')
      .map((line) => (line === '' ? '' : `  ${line}`)),
    '',
  ];
}

/** Steps as a numbered list, commands indented. */
export function stepsText(steps: readonly BootstrapStep[]): string {
  return steps
    .flatMap(({ title, lines }, index) => [`${index + 1}. ${title}`, ...lines.map((line) => `       ${line}`)])
    .join('\n');
}
