import type { Origin } from '../app/change.ts';
import type { Target } from '../manifest/change.ts';
import { oneLine, shortened } from './message.ts';

/** What the machine-readable block of a merge request's description holds. Counts only where our own bot wrote it. */
export interface RequestBlock {
  readonly app: string;
  readonly environment: string;
  readonly images: readonly string[];
  readonly origin: Origin | null;
  /** Commit of the target branch that the change was computed on. */
  readonly base: string;
  /** What the updates before brought, and this one (src/delivery/request-carry.ts). */
  readonly carried?: string;
}

/** Lines of old → new in a description. */
const MOST_TARGETS = 100;

/** Branch of the one merge request of an app in an environment. */
export function requestBranch(app: string, environment: string): string {
  return `sluice/${environment}/${app}`;
}

/** Title of the merge request. */
export function requestTitle(app: string, environment: string, version: string): string {
  const characters = Array.from(oneLine(`Deploy ${app} ${version} to ${environment}`.replaceAll(/ {2,}/g, ' ')));
  return characters.length <= 255 ? characters.join('') : `${characters.slice(0, 254).join('')}…`;
}

/** Description: what changes, where it comes from, and the block. `serverUrl` makes links of project and commit. */
export function requestDescription(
  block: RequestBlock,
  targets: readonly Pick<Target, 'file' | 'path' | 'before' | 'after'>[],
  serverUrl: string,
): string {
  const rows = targets
    .slice(0, MOST_TARGETS)
    .map(
      (target) => `| ${[target.file, target.path, target.before || '(none)', target.after].map(code).join(' | ')} |`,
    );
  const left = targets.length - rows.length;
  return [
    `\`${block.app}\` in \`${block.environment}\`:`,
    '',
    '| file | where | old | new |',
    '|---|---|---|---|',
    ...rows,
    '',
    ...(left > 0 ? [`And ${left} more: see the changes.`, ''] : []),
    ...(block.origin === null ? [] : [originLine(block.origin, serverUrl), '']),
    'This branch is rewritten by sluice whenever a newer version comes; do not commit to it.',
    '',
    `<!-- sluice: ${hidden(block)} -->`,
    '',
  ].join('\n');
}

/** The block of a description, or null where there is none or it is damaged. */
export function parseRequestBlock(description: string): RequestBlock | null {
  const json = /^<!-- sluice: (\{.*\}) -->$/m.exec(description)?.[1];
  if (json === undefined) return null;
  try {
    const value = JSON.parse(json) as Partial<RequestBlock>;
    if (typeof value.app !== 'string' || typeof value.environment !== 'string') return null;
    return {
      app: value.app,
      environment: value.environment,
      images: Array.isArray(value.images) ? value.images.filter((image) => typeof image === 'string') : [],
      origin: originOf(value.origin),
      base: typeof value.base === 'string' ? value.base : '',
      ...(typeof value.carried === 'string' ? { carried: value.carried } : {}),
    };
  } catch {
    return null;
  }
}

function originOf(value: Partial<Origin> | null | undefined): Origin | null {
  if (!value || typeof value.project !== 'string' || !/^[0-9a-f]{40}$/.test(value.commit ?? '')) return null;
  return {
    project: value.project,
    commit: value.commit!,
    ref: typeof value.ref === 'string' ? value.ref : '',
    pipeline: typeof value.pipeline === 'number' && Number.isSafeInteger(value.pipeline) ? value.pipeline : null,
  };
}

function originLine(origin: Origin, serverUrl: string): string {
  const project = `${serverUrl}/${origin.project.split('/').map(escaped).join('/')}`;
  const pipeline =
    origin.pipeline === null ? '' : `, [pipeline ${origin.pipeline}](${project}/-/pipelines/${origin.pipeline})`;
  const ref = origin.ref === '' ? '' : ` (${code(origin.ref)})`;
  return `From [${code(origin.project)}](${project}) commit [${origin.commit.slice(0, 12)}](${project}/-/commit/${origin.commit})${ref}${pipeline}.`;
}

/** A part of an address in which no markup can end the link. */
function escaped(part: string): string {
  return encodeURIComponent(part.toWellFormed()).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16)}`,
  );
}

/** JSON in one line of plain ASCII that cannot end the comment it stands in. */
function hidden(block: RequestBlock): string {
  return JSON.stringify(block).replaceAll(
    /[^ !-%'-,./0-;=?-~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * Text as code inside a table: no line break, column or markup can come of it. A bar is an entity (where a backslash is
 * before it, one more would not escape it), and so is all else then: entities are not read between backticks.
 */
function code(text: string): string {
  const line = shortened(oneLine(text)).replaceAll('`', "'") || ' ';
  if (!line.includes('|')) return `\`${line}\``;
  return `<code>${line.replaceAll(/[^\p{L}\p{N} ]/gu, (character) => `&#${character.codePointAt(0)};`)}</code>`;
}
