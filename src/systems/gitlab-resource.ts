import type { Secret } from '../secret.ts';
import type { Clock } from './clock.ts';
import { createRequester } from './gitlab-request.ts';

/** Where GitLab is and how to speak to it. */
export interface GitLabOptions {
  /** Address of GitLab, also below a path, e.g. `https://gitlab.example.com/git`; without `/api/v4`. */
  readonly url: string;
  readonly token: Secret;
  /** private: personal, project and group access tokens · job: CI_JOB_TOKEN, which can read little and post no status. */
  readonly tokenKind: 'private' | 'job';
  readonly clock: Clock;
  readonly fetch?: typeof fetch;
  readonly signal?: AbortSignal;
  /** Tries of one request in all; default 6. */
  readonly tries?: number;
  /** Limit of one try in milliseconds; default 30 s. */
  readonly tryTimeoutMs?: number;
  /** Longest wait that GitLab may ask for; default 75 s (its limits count by the minute). */
  readonly patienceMs?: number;
}

/** What gitbeaker's resources are made with: one address, one credential, and our own requests. */
export function gitlabResource(options: GitLabOptions) {
  const credential = async () => options.token.reveal();
  return {
    host: options.url.replace(/\/+$/, '').replace(/\/api\/v4$/, ''),
    requesterFn: createRequester({
      token: options.token,
      clock: options.clock,
      fetch: options.fetch ?? fetch,
      signal: options.signal,
      tries: options.tries ?? 6,
      tryTimeoutMs: options.tryTimeoutMs ?? 30_000,
      patienceMs: options.patienceMs ?? 75_000,
    }),
    queryTimeout: null,
    rateLimits: {},
    ...(options.tokenKind === 'job' ? { jobToken: credential } : { token: credential }),
  };
}
