import pMap from 'p-map';
import type { Origin } from '../app/change.ts';
import { Fault } from '../fault.ts';
import { shortCommit } from '../revision.ts';
import type { GitLab } from '../systems/gitlab.ts';
import type { SyncTarget } from './target.ts';

/** A claim that is shown and not followed. */
export interface RefusedClaim {
  readonly environment: string;
  readonly app: string;
  readonly project: string;
  readonly commit: string;
  readonly reason: string;
}

/** Which origins are true, by target. */
export interface VerifiedClaims {
  readonly of: (target: SyncTarget) => readonly Origin[];
  readonly refused: readonly RefusedClaim[];
}

/**
 * Trailers are claims that anybody who can push to the delivery repository can write: an origin is followed only where
 * its project is the app's in sluice.yaml and the commit exists there. Faults of GitLab are refusals of the claim, so
 * that one project that cannot be read holds up no other.
 */
export async function verifyClaims(
  targets: readonly SyncTarget[],
  gitlabFor: (app: string) => Promise<GitLab>,
): Promise<VerifiedClaims> {
  const asked = new Map<string, Promise<string | null>>();
  const claims = targets.flatMap((target) => target.origins.map((origin) => ({ target, origin })));
  const judged = await pMap(
    claims,
    async ({ target, origin }) => {
      const { app } = target.pair;
      const key = `${app.name} ${origin.project}@${origin.commit}`;
      const known = asked.get(key) ?? whyRefused(app, origin, gitlabFor);
      asked.set(key, known);
      return { target, origin, reason: await known };
    },
    { concurrency: 6 },
  );
  return {
    of: (target) => judged.filter((one) => one.target === target && one.reason === null).map((one) => one.origin),
    refused: judged.flatMap(({ target, origin, reason }) =>
      reason === null
        ? []
        : [
            {
              environment: target.pair.environment.name,
              app: target.pair.app.name,
              project: origin.project,
              commit: origin.commit,
              reason,
            },
          ],
    ),
  };
}

async function whyRefused(
  app: { readonly name: string; readonly project: string | null },
  origin: Origin,
  gitlabFor: (app: string) => Promise<GitLab>,
): Promise<string | null> {
  if (app.project === null) return `apps.${app.name}.project is not set in sluice.yaml`;
  if (app.project !== origin.project) return `apps.${app.name}.project is ${app.project}`;
  if (!/^[0-9a-f]{40}$/.test(origin.commit)) return 'the commit is no full commit id';
  try {
    const gitlab = await gitlabFor(app.name);
    const commit = await gitlab.commit(origin.project, origin.commit);
    return commit?.sha === origin.commit
      ? null
      : `${origin.project} has no commit ${shortCommit(origin.commit)}, or the token cannot see it`;
  } catch (error) {
    if (error instanceof Fault) return error.message;
    throw error;
  }
}
