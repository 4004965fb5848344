import { createPublicKey, createVerify } from 'node:crypto';
import type { Hono } from 'hono';
import { accessLevel, hasScope, identify, jobMayReach } from './access.ts';
import type { Identity } from './access.ts';
import { basicCredentials } from './git-access.ts';
import type { RegistryClaims } from './handle.ts';
import { findProject } from './lookup.ts';
import type { Project, State } from './state.ts';

/**
 * The registry's token service (distribution.github.io/distribution/spec/auth/token, app/services/auth/
 * container_registry_authentication_service.rb): Basic credentials in, RS256 token with `access` out.
 */

export const service = 'container_registry';
const issuer = 'gitlab-issuer';
const lifeSeconds = 300;

/** `/jwt/auth` and the public keys. */
export function registryAuthRoutes(app: Hono, state: State): void {
  app.get('/jwt/auth', (c) => {
    const credentials = basicCredentials(c.req.header('authorization'));
    const identity: Identity = credentials ? identify(state, credentials.password) : { kind: 'anonymous' };
    if (identity.kind === 'refused' || (identity.kind === 'deploy' && credentials?.user !== identity.token.username)) {
      return c.json({ errors: [{ code: 'UNAUTHORIZED', message: 'HTTP Basic: Access denied.' }] }, 401);
    }
    const asked = c.req.queries('scope') ?? [];
    const access = asked.flatMap((scope) => scope.split(' ')).flatMap((scope) => grant(state, identity, scope));
    // A client that asks for something and gets nothing at all is refused, as GitLab does.
    if (asked.length > 0 && identity.kind !== 'anonymous' && access.length === 0) {
      return c.json({ errors: [{ code: 'DENIED', message: 'access forbidden' }] }, 403);
    }
    const now = Math.floor(state.clock.now() / 1000);
    const subject =
      identity.kind === 'anonymous'
        ? ''
        : identity.kind === 'deploy'
          ? identity.token.username
          : identity.user.username;
    const token = state.signer.sign({
      iss: issuer,
      aud: c.req.query('service') ?? service,
      sub: subject,
      jti: `${now}-${state.next('registry token')}`,
      iat: now,
      nbf: now - 5,
      exp: now + lifeSeconds,
      access,
    });
    return c.json({ token, expires_in: lifeSeconds, issued_at: new Date(now * 1000).toISOString() });
  });
  app.get('/oauth/discovery/keys', (c) => c.json(keySet(state)));
  app.get('/.well-known/openid-configuration', (c) =>
    c.json({
      issuer: state.url,
      jwks_uri: `${state.url}/oauth/discovery/keys`,
      id_token_signing_alg_values_supported: ['RS256'],
      subject_types_supported: ['public'],
      response_types_supported: ['code'],
    }),
  );
}

function grant(state: State, identity: Identity, scope: string): RegistryClaims['access'] {
  const match = /^(repository)(?:\([^)]*\))?:(.+):([a-z*,]*)$/.exec(scope);
  const name = match?.[2];
  if (!name) return [];
  const parts = name.split('/');
  let project: Project | undefined;
  for (let length = parts.length; length > 1 && !project; length -= 1)
    project = findProject(state, parts.slice(0, length).join('/'));
  if (!project) return [];
  const wanted = (match[3] ?? '').split(',');
  const actions = wanted.filter((action) => mayDo(state, identity, project, action));
  if (actions.includes('push') && !state.registryRepositories.has(name))
    state.registryRepositories.set(name, { id: state.next('registry repository'), createdAt: state.time() });
  return actions.length > 0 ? [{ type: 'repository', name, actions }] : [];
}

function mayDo(state: State, identity: Identity, project: Project, action: string): boolean {
  const write = action !== 'pull';
  if (action === '*')
    return (
      identity.kind === 'user' &&
      hasScope(identity, 'api', 'write_registry') &&
      accessLevel(state, identity.user, project) >= 30
    );
  if (identity.kind === 'anonymous') return !write && project.visibility === 'public';
  if (identity.kind === 'job')
    return write
      ? identity.project === project
      : project.visibility !== 'private' || jobMayReach(state, identity, project);
  if (identity.kind === 'deploy') {
    const own =
      identity.token.project === project ||
      (identity.token.group !== null && project.path.startsWith(`${identity.token.group.path}/`));
    return own && hasScope(identity, write ? 'write_registry' : 'read_registry');
  }
  if (identity.kind !== 'user') return false;
  if (!hasScope(identity, ...(write ? ['write_registry', 'api'] : ['read_registry', 'write_registry', 'api'])))
    return false;
  return (
    accessLevel(state, identity.user, project) >= (write ? 30 : 10) || (!write && project.visibility !== 'private')
  );
}

/** The public key as JSON Web Key Set. */
export function keySet(state: State): { readonly keys: readonly Readonly<Record<string, string>>[] } {
  const key = createPublicKey(state.signer.publicKey.export({ type: 'spki', format: 'pem' })).export({ format: 'jwk' });
  return { keys: [{ ...(key as Record<string, string>), kid: state.signer.keyId, use: 'sig', alg: 'RS256' }] };
}

/** Claims of a token of ours, or null. */
export function verifyRegistryToken(state: State, token: string): RegistryClaims | null {
  const [head, body, signature] = token.split('.');
  if (!head || !body || !signature) return null;
  const genuine = createVerify('RSA-SHA256')
    .update(`${head}.${body}`)
    .verify(state.signer.publicKey, Buffer.from(signature, 'base64url'));
  if (!genuine) return null;
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as {
    sub: string;
    exp: number;
    iss: string;
    access?: RegistryClaims['access'];
  };
  if (claims.iss !== issuer || claims.exp * 1000 <= state.clock.now()) return null;
  return { subject: claims.sub, access: claims.access ?? [] };
}
