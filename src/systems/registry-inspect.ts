import { Fault } from '../fault.ts';
import type { Http, HttpAnswer } from './http.ts';
import type { GivenCredential, RegistryInspection } from './inspection.ts';
import { isLoopback, type RegistryCredential } from './registry-credentials.ts';
import { registryWords, split } from './registry-request.ts';

/** Asks registries what a credential may do, without writing anything: by the token service's own answer. */
export function inspectRegistry(options: {
  readonly http: Http;
  readonly credentials: readonly RegistryCredential[];
}): RegistryInspection {
  const { http } = options;
  const known = (host: string): GivenCredential | undefined => {
    const found = options.credentials.find((entry) => entry.host === host);
    return found && { user: found.user, password: found.password.reveal() };
  };
  const ask = async (url: string, headers: Readonly<Record<string, string>> = {}): Promise<HttpAnswer> => {
    try {
      return await http.request(url, { headers, timeoutMs: 15_000 });
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const words = cause instanceof Error ? cause.message || String(Reflect.get(cause, 'code')) : String(cause);
      const untrusted = /cert|signature|altname|self.signed/i.test(words);
      throw new Fault('registry_unavailable', `${new URL(url).origin} cannot be reached: ${words}`, {
        hint: untrusted ? 'Name the CA that signed its certificate in SSL_CERT_FILE.' : undefined,
      });
    }
  };
  return {
    knows: (repository) => known(split(repository).host) !== undefined,
    async access(repository, given) {
      const { host, path } = split(repository);
      const base = `${isLoopback(host) ? 'http' : 'https'}://${host}/v2/`;
      const credential = given ?? known(host);
      const basic =
        credential && `Basic ${Buffer.from(`${credential.user}:${credential.password}`).toString('base64')}`;
      const first = await ask(base);
      if (first.status === 200) return { by: 'nothing', actions: ['pull', 'push'] };
      if (first.status !== 401) throw unavailable(repository, first);
      const challenge = first.headers.get('www-authenticate') ?? '';
      const headers = basic === undefined ? {} : { authorization: basic };
      if (/^basic/i.test(challenge)) {
        const answer = await ask(base, headers);
        if (answer.status === 401 || answer.status === 403) throw refused(repository, answer);
        return { by: 'password', actions: null };
      }
      const field = (name: string) => new RegExp(`${name}="([^"]*)"`, 'i').exec(challenge)?.[1];
      const realm = field('realm');
      if (realm === undefined || !URL.canParse(realm)) throw unavailable(repository, first);
      const url = new URL(realm);
      if (url.protocol !== 'https:' && !isLoopback(url.host))
        throw new Fault('registry_unavailable', `${host}: its token service ${url.origin} is plain HTTP`);
      url.searchParams.set('service', field('service') ?? '');
      url.searchParams.set('scope', `repository:${path}:pull,push`);
      const answer = await ask(url.href, headers);
      if (answer.status === 401 || answer.status === 403) throw refused(repository, answer);
      if (answer.status !== 200) throw unavailable(repository, answer);
      return { by: 'token', actions: grantedIn(answer, path) };
    },
  };
}

/** `access` of the token's claims (distribution.github.io/distribution/spec/auth/jwt); null where it is no JWT. */
function grantedIn(answer: HttpAnswer, path: string): readonly string[] | null {
  try {
    const body = JSON.parse(Buffer.from(answer.body).toString()) as { token?: string; access_token?: string };
    const payload = (body.token ?? body.access_token ?? '').split('.')[1] ?? '';
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as {
      access?: readonly { readonly name?: string; readonly actions?: readonly string[] }[];
    };
    return (claims.access ?? []).filter(({ name }) => name === path).flatMap(({ actions }) => actions ?? []);
  } catch {
    return null;
  }
}

function refused(repository: string, answer: HttpAnswer): Fault {
  return new Fault('token_refused', `${repository}: the registry answered ${answer.status}${registryWords(answer)}`);
}

function unavailable(repository: string, answer: HttpAnswer): Fault {
  return new Fault('registry_unavailable', `${repository}: the registry answered ${answer.status}`);
}
