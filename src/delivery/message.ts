import { formatImage, type ImageReference } from '../app/image.ts';
import type { Origin } from '../app/change.ts';
import type { Target } from '../manifest/change.ts';
import type { CommitClaim } from './commit.ts';
import { parseTrailers, type Trailer } from './trailers.ts';

/** A commit, as far as its message goes. */
export interface CommitText {
  readonly sha: string;
  readonly message: string;
}

/** What one commit brings. Every pair of app and environment is in it. */
export interface MessageContent {
  readonly environments: readonly string[];
  /** `version` is what the subject shows; '' where there is none. */
  readonly apps: readonly { readonly name: string; readonly version: string }[];
  readonly images: readonly ImageReference[];
  readonly targets: readonly Pick<Target, 'file' | 'path' | 'before' | 'after'>[];
  readonly origin: Origin | null;
}

const NAME = /^[a-z0-9][a-z0-9-]*$/;
const COMMIT = /^[0-9a-f]{40}$/;
/** Reverts of reverts that are followed. */
const DEPTH = 5;
/** Lines of old → new in a commit's body. */
const MOST_TARGETS = 100;

/**
 * The commit message: subject, old → new for each target, trailers. Texts from outside (branch names, CI variables,
 * values) are one line each, cannot begin a line, and cannot stop GitLab's pipeline.
 */
export function formatMessage(content: MessageContent): string {
  const { environments, apps, images, targets, origin } = content;
  const what = apps.map((app) => `${app.name} ${app.version}`.trim()).join(', ');
  const changes = targets.slice(0, MOST_TARGETS).map((target) => `- ${formatTarget(target)}`);
  if (targets.length > MOST_TARGETS) changes.push(`- and ${targets.length - MOST_TARGETS} more`);
  const trailers: (readonly [string, string])[] = [
    ...apps.map((app) => ['Sluice-App', app.name] as const),
    ...environments.map((environment) => ['Sluice-Environment', environment] as const),
    ...images.map((image) => ['Sluice-Image', formatImage(image)] as const),
  ];
  if (origin !== null) {
    trailers.push(['Sluice-Source-Project', origin.project], ['Sluice-Source-Commit', origin.commit]);
    if (oneLine(origin.ref) !== '') trailers.push(['Sluice-Source-Ref', origin.ref]);
    if (origin.pipeline !== null) trailers.push(['Sluice-Source-Pipeline', String(origin.pipeline)]);
  }
  return [
    oneLine(`deploy(${environments.join(', ')}): ${what}`),
    '',
    ...(changes.length === 0 ? [] : [...changes, '']),
    ...trailers.map(([key, value]) => `${key}: ${oneLine(value)}`),
    '',
  ].join('\n');
}

/** `file: path old → new` in one line. */
export function formatTarget(target: Pick<Target, 'file' | 'path' | 'before' | 'after'>): string {
  const before = target.before === '' ? '(none)' : shortened(target.before);
  return oneLine(`${target.file}: ${target.path} ${before} → ${shortened(target.after)}`);
}

/**
 * Text without line breaks and control characters, blanks folded. GitLab starts no pipeline for a commit whose message
 * holds `[skip ci]` in any of its spellings (https://docs.gitlab.com/ci/pipelines/#skip-a-pipeline): the brackets go.
 */
export function oneLine(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]+/gu, ' ')
    .replaceAll(/ {2,}/g, ' ')
    .replaceAll(/\[(ci[ _-]skip|skip[ _-]ci)\]/gi, '($1)')
    .trim();
}

/** At most 200 characters of a text. */
export function shortened(text: string): string {
  const characters = Array.from(text);
  return characters.length <= 200 ? text : `${characters.slice(0, 199).join('')}…`;
}

/**
 * What a commit claims by its trailers, or null. A hand-made `git revert` claims the apps and environments of the
 * commit it reverts, with neither images nor origin: `find` gives a commit of the history by its id; where it knows
 * nothing, the quoted subject is read.
 */
export function parseClaim(
  commit: CommitText,
  find: (sha: string) => CommitText | undefined = () => undefined,
): CommitClaim | null {
  return claimOf(commit, find, DEPTH);
}

function claimOf(commit: CommitText, find: (sha: string) => CommitText | undefined, depth: number): CommitClaim | null {
  const trailers = parseTrailers(commit.message);
  const apps = namesOf(trailers, 'Sluice-App');
  const environments = namesOf(trailers, 'Sluice-Environment');
  if (apps.length > 0 && environments.length > 0) {
    const images = valuesOf(trailers, 'Sluice-Image');
    return { commit: commit.sha, apps, environments, images, origin: originOf(trailers) };
  }
  const reverted = /^This reverts commit ([0-9a-f]{40})\b/m.exec(commit.message)?.[1];
  if (reverted === undefined || depth === 0) return null;
  const found = find(reverted);
  const claim = found ? claimOf(found, find, depth - 1) : claimOfSubject(commit.message);
  return claim && { ...claim, commit: commit.sha, images: [], origin: null };
}

function claimOfSubject(message: string): CommitClaim | null {
  const quoted = /^(?:(?:Revert|Reapply) ")+deploy\(([^)]*)\): ([^"]*)"+$/.exec(message.split('\n')[0] ?? '');
  if (!quoted) return null;
  const environments = (quoted[1] ?? '').split(', ').filter((name) => NAME.test(name));
  const apps = (quoted[2] ?? '')
    .split(', ')
    .map((part) => part.split(' ')[0] ?? '')
    .filter((name) => NAME.test(name));
  if (apps.length === 0 || environments.length === 0) return null;
  return { commit: '', apps, environments, images: [], origin: null };
}

function valuesOf(trailers: readonly Trailer[], key: string): readonly string[] {
  const wanted = key.toLowerCase();
  return [...new Set(trailers.filter((trailer) => trailer.key.toLowerCase() === wanted).map(({ value }) => value))];
}

function namesOf(trailers: readonly Trailer[], key: string): readonly string[] {
  return valuesOf(trailers, key).filter((name) => NAME.test(name));
}

function originOf(trailers: readonly Trailer[]): Origin | null {
  const last = (key: string) => valuesOf(trailers, key).at(-1);
  const project = last('Sluice-Source-Project');
  const commit = last('Sluice-Source-Commit');
  if (project === undefined || !/^[\w.-]+(\/[\w.-]+)+$/.test(project)) return null;
  if (commit === undefined || !COMMIT.test(commit)) return null;
  const pipeline = last('Sluice-Source-Pipeline');
  return {
    project,
    commit,
    ref: last('Sluice-Source-Ref') ?? '',
    pipeline: pipeline !== undefined && /^[1-9]\d{0,15}$/.test(pipeline) ? Number(pipeline) : null,
  };
}
