import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { fields, list, text } from '../store/object.ts';
import { networkCause } from './network.ts';

/** What a registry refused; the message is go-containerregistry's, e.g. `GET URL: MANIFEST_UNKNOWN: manifest unknown`. */
export class PullError extends Error {}

/** A repository at a registry, over its HTTP base URL. */
export interface Repository {
  /** Manifest and digest of a tag or digest. */
  manifest(reference: string): Promise<{ readonly digest: string; readonly manifest: Record<string, unknown> }>;
  blob(digest: string): Promise<Uint8Array>;
  tags(): Promise<readonly string[]>;
}

const accepted = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');

async function refusal(method: string, url: string, response: Response): Promise<PullError> {
  const body = await response.text();
  try {
    const errors = list(fields(JSON.parse(body))['errors']).map((error) => {
      const { code, message, detail } = fields(error);
      const shown =
        typeof detail === 'string' ? detail : detail === undefined || detail === null ? '' : JSON.stringify(detail);
      return `${text(code)}: ${text(message)}${shown === '' ? '' : `; ${shown}`}`;
    });
    if (errors.length > 0) return new PullError(`${method} ${url}: ${errors.join('; ')}`);
  } catch {
    // not the registry's error format: the status says enough
  }
  return new PullError(
    `${method} ${url}: unexpected status code ${response.status} ${response.statusText}${body ? `: ${body.trim()}` : ''}`,
  );
}

function isPrivate(host: string): boolean {
  if (isIP(host) === 4) return /^(10\.|127\.|169\.254\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)/.test(host);
  return isIP(host) === 6 && /^(::1$|f[cd]|fe[89ab])/i.test(host);
}

function readChallenge(header: string): Record<string, string> {
  return Object.fromEntries(
    [...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key.toLowerCase(), value]),
  );
}

/** How a repository is reached. */
export interface RepositoryAddress {
  /** Where the registry really listens, scheme included. */
  readonly base: string;
  /** The base URL in messages. */
  readonly shown: string;
  readonly name: string;
  /** `user:password`, or null. */
  readonly basic: string | null;
  /** HTTPS is tried before HTTP. */
  readonly isInsecure: boolean;
  readonly locate: (url: string) => string;
  readonly signal: AbortSignal;
}

/**
 * Opens a repository. Tokens are fetched from the realm that the registry names; go-containerregistry 0.21.6 refuses a
 * realm that is a private IP literal of another host (https://github.com/google/go-containerregistry).
 */
export function openRepository(address: RepositoryAddress): Repository {
  const { base, shown, name, basic, isInsecure, locate, signal } = address;
  const basicHeader = basic === null ? {} : { authorization: `Basic ${Buffer.from(basic).toString('base64')}` };
  let authorization: Record<string, string> | null = null;

  async function request(method: string, url: string, headers: Record<string, string>): Promise<Response> {
    try {
      return await fetch(locate(url), { method, headers, signal });
    } catch (error) {
      signal.throwIfAborted();
      const named = url.startsWith(base) ? `${shown}${url.slice(base.length)}` : url;
      const tried = isInsecure && url === `${base}/v2/` ? [named.replace(/^http:/, 'https:'), named] : [named];
      throw new PullError(tried.map((one) => `Get "${one}": ${networkCause(error, one)}`).join('; '));
    }
  }

  async function authorize(): Promise<Record<string, string>> {
    const ping = await request('GET', `${base}/v2/`, {});
    await ping.arrayBuffer();
    if (ping.status !== 401) return {};
    const header = ping.headers.get('www-authenticate') ?? '';
    if (/^basic/i.test(header)) return basicHeader;
    const { realm = '', service = '' } = readChallenge(header);
    const host = new URL(realm).hostname.replace(/^\[|\]$/g, '');
    if (isPrivate(host) && new URL(realm).host !== new URL(shown).host && new URL(realm).host !== new URL(base).host) {
      throw new PullError(
        `invalid realm in www-authenticate: realm host ${JSON.stringify(host)} is a private or link-local address`,
      );
    }
    const query = new URLSearchParams({ scope: `repository:${name}:pull`, service });
    const answer = await request('GET', `${realm}?${query.toString()}`, basicHeader);
    if (!answer.ok) throw await refusal('GET', `${realm}?${query.toString()}`, answer);
    const { token, access_token: accessToken } = fields(await answer.json());
    return { authorization: `Bearer ${text(token) || text(accessToken)}` };
  }

  async function get(path: string, accept: string): Promise<Response> {
    authorization ??= await authorize();
    const response = await request('GET', `${base}/v2/${name}${path}`, { accept, ...authorization });
    if (!response.ok) throw await refusal('GET', `${shown}/v2/${name}${path}`, response);
    return response;
  }

  return {
    manifest: async (reference) => {
      const response = await get(`/manifests/${reference}`, accepted);
      const bytes = Buffer.from(await response.arrayBuffer());
      const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
      if (reference.startsWith('sha256:') && reference !== digest) {
        throw new PullError(
          `manifest digest: "${digest}" does not match requested digest: "${reference}" for "${shown}/${name}"`,
        );
      }
      return { digest, manifest: fields(JSON.parse(bytes.toString('utf8'))) };
    },
    blob: async (digest) => {
      const bytes = new Uint8Array(await (await get(`/blobs/${digest}`, '*/*')).arrayBuffer());
      const actual = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
      if (actual !== digest)
        throw new PullError(
          `error verifying sha256 checksum after reading ${bytes.length} bytes; got "${actual}", want "${digest}"`,
        );
      return bytes;
    },
    tags: async () => list(fields(await (await get('/tags/list', 'application/json')).json())['tags']).map(text),
  };
}
