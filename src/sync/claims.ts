import pMap from 'p-map';
import type { Origin } from '../app/change.ts';
import { Fault } from '../fault.ts';
import { shortCommit } from '../revision.ts';
import { limitTo } from '../status/limit.ts';
import type { Clock } from '../systems/clock.ts';
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

/** How long an absent GitLab is asked again. */
export interface ClaimPatience {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
}

/** Pause before an absent GitLab is asked again; the requests themselves have been tried several times by then. */
const pauseMs = 3_000;

/**
 * Trailers are claims that anybody who can push to the delivery repository can write: an origin is followed only where
 * its project is the app's in sluice.yaml and the commit exists there. What GitLab refuses, or does not answer until the
 * deadline, refuses the claim: one project that cannot be read holds up no other. Rejects with the signal's reason.
 */
export async function verifyClaims(
  targets: readonly SyncTarget[],
  gitlabFor: (app: string) => Promise<GitLab>,
  patience: ClaimPatience,
): Promise<VerifiedClaims> {
  const asked = new Map<string, Promise<string | null>>();
  const claims = targets.flatMap((target) => target.origins.map((origin) => ({ target, origin })));
  const judged = await pMap(
    claims,
    async ({ target, origin }) => {
      const { app } = target.pair;
      const key = `${app.name} ${origin.project}@${origin.commit}`;
      const known = asked.get(key) ?? whyRefused(app, origin, gitlabFor, patience);
      asked.set(key, known);
      return { target, origin, reason: await known };
    },
    { concurrency: 6, signal: patience.signal },
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
  { clock, signal, deadline }: ClaimPatience,
): Promise<string | null> {
  if (app.project === null) return `apps.${app.name}.project is not set in sluice.yaml`;
  if (app.project !== origin.project) return `apps.${app.name}.project is ${app.project}`;
  if (!/^[0-9a-f]{40}$/.test(origin.commit)) return 'the commit is no full commit id';
  using limit = limitTo(deadline, clock, signal);
  for (;;) {
    try {
      const gitlab = (await gitlabFor(app.name)).within(limit.signal);
      const commit = await gitlab.commit(origin.project, origin.commit);
      if (commit?.sha === origin.commit) return null;
      return `${origin.project} has no commit ${shortCommit(origin.commit)}, or the token cannot see it`;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Fault)) throw error;
      if (error.code !== 'gitlab_unavailable' || limit.signal.aborted || clock.now() >= deadline) return error.message;
    }
    await clock.sleep(Math.min(pauseMs, Math.max(0, deadline - clock.now())), signal);
  }
}
