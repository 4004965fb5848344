import type { Origin } from '../app/change.ts';
import type { App } from '../config/config.ts';
import type { CommitClaim } from '../delivery/commit.ts';

/** The origins of one app in one environment, and what was dropped. */
export interface Origins {
  readonly origins: readonly Origin[];
  readonly notes: readonly string[];
}

/**
 * Origins that commits of a range claim for one app and environment, newest first, each commit once. Trailers are claims:
 * those of another project than the app's own are dropped.
 */
export function originsOf(claims: readonly CommitClaim[], app: App, environment: string): Origins {
  const origins = new Map<string, Origin>();
  const notes = new Set<string>();
  for (const claim of claims) {
    const { origin } = claim;
    if (!origin || !claim.apps.includes(app.name) || !claim.environments.includes(environment)) continue;
    if (app.project === null) {
      notes.add(`app ${app.name} names no project: ${origin.project} gets no answer (apps.${app.name}.project)`);
    } else if (origin.project !== app.project) {
      notes.add(
        `commit ${claim.commit.slice(0, 12)} names ${origin.project}, but ${app.name} belongs to ${app.project}`,
      );
    } else {
      const key = `${origin.project}@${origin.commit}`;
      if (!origins.has(key)) origins.set(key, origin);
    }
  }
  return { origins: [...origins.values()], notes: [...notes] };
}
