import { Fault } from '../fault.ts';
import { leakForms } from '../secret.ts';
import type { Secret } from '../secret.ts';

/**
 * An answer of GitLab that is no success, or no answer at all. Holds neither request nor response: those carry the
 * token (gitbeaker's own errors do).
 */
export class GitLabRefusal extends Error {
  /** HTTP status; 0 where no answer came. */
  readonly status: number;
  /** `GET https://…/api/v4/…`, without query. */
  readonly request: string;
  /** GitLab's own words in one line, redacted. */
  readonly words: string;
  /** Milliseconds that GitLab asks to wait before the next try (Retry-After, RateLimit-Reset); null: it said nothing. */
  readonly waitMs: number | null;
  /** False where the request may have been carried out although no answer came. */
  readonly untouched: boolean;
  constructor(options: {
    readonly status: number;
    readonly request: string;
    readonly words: string;
    readonly waitMs?: number | null;
    readonly untouched: boolean;
  }) {
    const answer = options.status === 0 ? 'was not answered' : `was answered ${options.status}`;
    super(`${options.request} ${answer}${options.words === '' ? '' : `: ${options.words}`}`);
    this.name = 'GitLabRefusal';
    this.status = options.status;
    this.request = options.request;
    this.words = options.words;
    this.waitMs = options.waitMs ?? null;
    this.untouched = options.untouched;
  }
}

/**
 * GitLab's words from a body: `message` (text, or lists by field) or `error` of a JSON object, else plain text. An HTML
 * page (a proxy in front) says nothing useful. One line, at most 300 characters, the token removed.
 */
export function refusalWords(body: string, token: Secret): string {
  const line = plainWords(body).replace(/\s+/g, ' ').trim();
  const redacted = leakForms(token.reveal()).reduce((text, form) => text.replaceAll(form, '***'), line);
  return redacted.length > 300 ? `${redacted.slice(0, 299)}…` : redacted;
}

function plainWords(body: string): string {
  if (/^\s*</.test(body)) return 'an HTML page';
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== 'object' || parsed === null) return body;
    const { message, error } = parsed as { readonly message?: unknown; readonly error?: unknown };
    return flatten(message ?? error ?? '');
  } catch {
    return body;
  }
}

function flatten(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(flatten).join(', ');
  if (typeof value === 'object' && value !== null)
    return Object.entries(value)
      .map(([field, text]) => `${field}: ${flatten(text)}`)
      .join('; ');
  return JSON.stringify(value) ?? '';
}

/**
 * The refusal as a `Fault`: 401 and 403 → `token_refused` with `needs` as the hint, everything else →
 * `gitlab_unavailable`.
 */
export function refusalFault(refusal: GitLabRefusal, needs: string): Fault {
  if (refusal.status === 401 || refusal.status === 403)
    return new Fault('token_refused', refusal.message, {
      hint: refusal.status === 401 ? `The token is wrong, expired or revoked. ${needs}` : needs,
    });
  return new Fault('gitlab_unavailable', refusal.message, {
    hint:
      refusal.status === 429 ? 'GitLab limits the rate of requests; run again later or raise the limit.' : undefined,
  });
}
