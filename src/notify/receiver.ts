import { createHash, createHmac } from 'node:crypto';
import type { ReceiverSettings } from '../config/config.ts';

/** One POST to Flux's webhook receiver. */
export interface WebhookCall {
  readonly method: 'POST';
  /** Path below the receiver's address. Flux matches it exactly: no query string. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * `/hook/` and the SHA-256 of token, name and namespace; a generic-oidc Receiver has no token, its path is public and
 * the JWT protects it (fluxcd/notification-controller internal/controller/receiver_controller.go).
 */
export function webhookPath(token: string, name: string, namespace: string): string {
  return `/hook/${createHash('sha256').update(`${token}${name}${namespace}`).digest('hex')}`;
}

/** Value of `X-Signature` for generic-hmac: HMAC-SHA-256 of the body. */
function signature(token: string, body: string): string {
  return `sha256=${createHmac('sha256', token).update(body).digest('hex')}`;
}

/** What the Receiver's filters may look at (`req` in CEL): which source was pushed to, and what. */
export interface WebhookBody {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly app: string;
  readonly environment: string;
  readonly revision: string;
}

/** The call for a Receiver's type. `credential` is the Receiver's token, or the ID token for generic-oidc. */
export function webhookCall(settings: ReceiverSettings, credential: string, body: WebhookBody): WebhookCall {
  const text = JSON.stringify(body);
  const token = settings.type === 'generic-oidc' ? '' : credential;
  const proof: Readonly<Record<string, string>> =
    settings.type === 'generic-hmac'
      ? { 'x-signature': signature(credential, text) }
      : settings.type === 'gitlab'
        ? { 'x-gitlab-token': credential, 'x-gitlab-event': 'Push Hook' }
        : { authorization: `Bearer ${credential}` };
  return {
    method: 'POST',
    path: webhookPath(token, settings.name, settings.namespace),
    headers: { 'content-type': 'application/json', ...proof },
    body: text,
  };
}

/** Path of the webhook receiver behind the API server's service proxy. */
export function serviceProxyPath(namespace: string, path: string): string {
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/services/http:webhook-receiver:80/proxy${path}`;
}

/** What an answer of the receiver means; undefined: accepted, though not that anything was matched. Bodies are empty. */
export function refusalOf(status: number): string | undefined {
  if (status === 200) return undefined;
  const known: Readonly<Record<number, string>> = {
    400: 'it refused the credential (HTTP 400): token, signature or claims do not fit the Receiver',
    401: 'it refused the credential (HTTP 401)',
    403: 'no right to create services/proxy for webhook-receiver (HTTP 403)',
    404: 'there is no such Receiver (HTTP 404): its name, namespace or token is another, or it is not ready',
    413: 'the request was too large (HTTP 413)',
    429: 'it is rate limited (HTTP 429)',
    500: 'the Receiver could not annotate its resources, or its filter failed (HTTP 500)',
    503: 'the Receiver is suspended or not ready (HTTP 503)',
  };
  if (status >= 300 && status < 400)
    return `it answered with a redirect (HTTP ${status}), and redirects are not followed`;
  return known[status] ?? `it answered HTTP ${status}`;
}
