import type { Secret } from '../secret.ts';
import { Fault } from '../fault.ts';
import { withoutUser } from './git-environment.ts';
import type { Http } from './http.ts';

const ASKED = '/info/refs?service=git-upload-pack';
/** Redirects in a row that are followed. */
const MOST_STEPS = 5;

/** Did a server answer git, which follows no redirect here, with one? */
export function isRedirect(error: unknown): boolean {
  return error instanceof Fault && /requested URL returned error: 30[1278]\b/.test(error.message);
}

/**
 * Where a repository is that its server redirects to: on the same server alone. git itself would send the token, which is
 * a plain header to it, wherever an answer points to. Fault `git_unavailable` where the goal is another server or none.
 */
export async function movedTo(http: Http, url: string, token: Secret | null, signal?: AbortSignal): Promise<string> {
  const basic = token && Buffer.from(`oauth2:${token.reveal()}`).toString('base64');
  let at = new URL(url.replace(/\/+$/, '') + ASKED);
  for (let steps = 0; steps < MOST_STEPS; steps += 1) {
    const headers = basic === null ? {} : { authorization: `Basic ${basic}` };
    const answer = await http.request(at.href, { headers, signal }).catch(() => null);
    const location = answer?.headers.get('location') ?? '';
    if (answer === null || answer.status < 300 || answer.status > 399) return at.href.slice(0, -ASKED.length);
    const next = URL.canParse(location, at.href) ? new URL(location, at.href) : null;
    if (next?.origin !== at.origin || !next.href.endsWith(ASKED)) {
      const goal = next ? `${next.origin}${next.pathname}` : 'nowhere';
      throw new Fault(
        'git_unavailable',
        `${withoutUser(url)} redirects to ${goal}: not followed, the token stays here`,
        {
          hint: 'Name the repository by the address that it has now.',
        },
      );
    }
    at = next;
  }
  throw new Fault('git_unavailable', `${withoutUser(url)} redirects in a circle`);
}
