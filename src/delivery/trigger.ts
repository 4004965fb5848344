import type { AppChange } from '../app/change.ts';
import { seal } from '../app/sealed.ts';
import { Fault } from '../fault.ts';
import type { Secret } from '../secret.ts';
import type { Clock } from '../systems/clock.ts';
import type { Http, HttpAnswer } from '../systems/http.ts';

/** A pipeline of the delivery project that carries changes. */
export interface TriggeredPipeline {
  readonly project: string;
  readonly id: number;
  readonly url: string;
}

/** What a trigger needs. */
export interface TriggerOptions {
  /** `https://gitlab.example.com/api/v4` */
  readonly apiUrl: string;
  /** Full path of the delivery project. */
  readonly project: string;
  readonly branch: string;
  readonly token: Secret;
  /** How the changes travel: as the pipeline input `sluice_change`, or as the variable `SLUICE_CHANGE`. */
  readonly by: 'input' | 'variable';
  readonly http: Http;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const TRIES = 5;
const TRY_MS = 30_000;

/**
 * Starts a pipeline of the delivery project with a trigger token (https://docs.gitlab.com/ci/triggers/); the changes
 * travel as sealed JSON (src/app/sealed.ts). Only answers that made no pipeline are tried again. Faults `token_refused`, `branch_missing`,
 * `trigger_refused` (with GitLab's words), `gitlab_unavailable`.
 */
export async function triggerDelivery(
  changes: readonly AppChange[],
  options: TriggerOptions,
): Promise<TriggeredPipeline> {
  const { apiUrl, project, branch, token, by, http, clock, signal } = options;
  const text = seal(JSON.stringify(changes));
  const body = JSON.stringify({
    token: token.reveal(),
    ref: branch,
    ...(by === 'input' ? { inputs: { sluice_change: text } } : { variables: { SLUICE_CHANGE: text } }),
  });
  const url = `${apiUrl}/projects/${encodeURIComponent(project)}/trigger/pipeline`;
  for (let tries = 1; ; tries += 1) {
    let answer: HttpAnswer;
    try {
      const headers = { 'content-type': 'application/json' };
      answer = await http.request(url, { method: 'POST', headers, body, timeoutMs: TRY_MS, signal });
    } catch (error) {
      signal.throwIfAborted();
      throw new Fault('gitlab_unavailable', `${url}: ${error instanceof Error ? error.message : String(error)}`);
    }
    const words = wordsOf(answer);
    if (answer.status === 201) {
      const made = words as { readonly id?: unknown; readonly web_url?: unknown };
      if (typeof made.id === 'number')
        return { project, id: made.id, url: typeof made.web_url === 'string' ? made.web_url : '' };
    }
    if ([429, 502, 503].includes(answer.status) && tries < TRIES) {
      const asked = Number(answer.headers.get('retry-after') ?? '') * 1000;
      await clock.sleep(Math.min(60_000, asked || 500 * 2 ** tries * (0.5 + clock.random())), signal);
      continue;
    }
    throw refusal(answer.status, JSON.stringify(words), options);
  }
}

function wordsOf(answer: HttpAnswer): unknown {
  const text = new TextDecoder().decode(answer.body);
  try {
    return JSON.parse(text);
  } catch {
    return text.slice(0, 200);
  }
}

function refusal(status: number, words: string, { project, branch, by }: TriggerOptions): Fault {
  if (status === 400 && /reference not found/i.test(words)) {
    return new Fault('branch_missing', `${project} has no branch ${branch}`, { hint: 'Name it with --branch.' });
  }
  if (status === 400 || status === 422) {
    const hint =
      by === 'input'
        ? 'The delivery project’s .gitlab-ci.yml declares the input `sluice_change` (spec: inputs) and hands it to a job with `sluice update --local`.'
        : 'The delivery project must permit pipeline variables, and its pipeline hold a job with `sluice update --local`.';
    return new Fault('trigger_refused', `${project} started no pipeline on ${branch}: ${words}`, { hint });
  }
  if (status === 401 || status === 403 || status === 404) {
    return new Fault('token_refused', `${project} (${status}) knows no such trigger token`, {
      hint: 'Create a pipeline trigger token in the delivery project and set it as SLUICE_TRIGGER_TOKEN (masked).',
    });
  }
  return new Fault('gitlab_unavailable', `${project} answered the trigger with ${status}: ${words}`);
}
