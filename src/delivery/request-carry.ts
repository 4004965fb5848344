import type { AppChange } from '../app/change.ts';
import { openSigned, sign } from '../app/sealed.ts';
import type { Secret } from '../secret.ts';
import type { CommitClaim } from './commit.ts';
import { judgeStanding } from './history.ts';

/** What one update has brought into a merge request. */
export type Carried = Pick<AppChange, 'images' | 'values' | 'origin'>;

/** Longer lists are not carried: a description holds a million characters. */
const MOST_CHARACTERS = 100_000;

/**
 * What earlier updates brought, as far as a newer one does not set it itself, oldest first: several images of one app
 * arrive by several updates, and share one merge request.
 */
export function stillCarried(earlier: readonly Carried[], newer: Omit<Carried, 'origin'>): readonly Carried[] {
  const names = new Set(newer.images.map((image) => image.name));
  const places = new Set(newer.values.map((value) => JSON.stringify([value.file, value.path])));
  return earlier
    .map(({ images, values, origin }) => ({
      images: images.filter((image) => !names.has(image.name)),
      values: values.filter((value) => !places.has(JSON.stringify([value.file, value.path]))),
      origin,
    }))
    .filter(({ images, values }) => images.length + values.length > 0);
}

/** Is what was carried older than what the target branch's history claims by now? */
export function isOutdated(
  carried: Carried,
  claims: readonly CommitClaim[],
  app: string,
  environment: string,
): boolean {
  return judgeStanding(claims, app, environment, carried.origin).standing !== 'current';
}

/**
 * The list as it stands in a description. Anybody with the role Developer can write there, and forge a committer: so it
 * is signed with the bot's token, together with the branch's tip that it describes. Empty where it is too long.
 */
export function formatCarried(carried: readonly Carried[], sha: string, key: Secret): string {
  const text = JSON.stringify({ sha, carried });
  return sign(text.length > MOST_CHARACTERS ? JSON.stringify({ sha, carried: [] }) : text, key);
}

/** The list of a description; null where it is not signed with this token, or for another tip. */
export function parseCarried(signed: string, sha: string, key: Secret): readonly Carried[] | null {
  const text = openSigned(signed, key);
  if (text === null) return null;
  const found = JSON.parse(text) as { readonly sha: string; readonly carried: readonly Carried[] };
  return found.sha === sha ? found.carried : null;
}
