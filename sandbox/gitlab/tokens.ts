import { createSign, generateKeyPairSync, randomBytes } from 'node:crypto';
import type { AccessLevel } from './handle.ts';
import type { Signer, State, Token, User } from './state.ts';

const day = 86_400_000;

/** `YYYY-MM-DD`, so many days from now. */
export function dateIn(state: State, days: number): string {
  return new Date(state.clock.now() + days * day).toISOString().slice(0, 10);
}

/** A new secret in GitLab's form. */
export function newSecret(prefix: 'glpat-' | 'gldt-' | 'glptt-' | 'glagent-'): string {
  return prefix + randomBytes(15).toString('base64url').replaceAll(/[-_]/g, 'x');
}

/** Adds a user; bots of project and group tokens are named as GitLab names them. */
export function addUser(
  state: State,
  fields: { readonly username: string; readonly name: string; readonly bot?: boolean; readonly admin?: boolean },
): User {
  const user: User = {
    id: state.next('user'),
    username: fields.username,
    name: fields.name,
    email: fields.bot ? `${fields.username}@noreply.${state.host.split(':')[0]}` : `${fields.username}@example.com`,
    bot: fields.bot ?? false,
    admin: fields.admin ?? false,
  };
  state.users.set(user.id, user);
  return user;
}

/** Adds a token for a user. */
export function addToken(
  state: State,
  fields: {
    readonly user: User;
    readonly kind: Token['kind'];
    readonly resource: string | null;
    readonly name: string;
    readonly description?: string | null;
    readonly scopes: readonly string[];
    readonly accessLevel: AccessLevel;
    readonly expiresAt?: string | null;
    readonly family?: number;
  },
): Token {
  const id = state.next('token');
  const token: Token = {
    id,
    value: newSecret('glpat-'),
    kind: fields.kind,
    user: fields.user,
    resource: fields.resource,
    name: fields.name,
    description: fields.description ?? null,
    scopes: fields.scopes,
    accessLevel: fields.accessLevel,
    createdAt: state.time(),
    expiresAt: fields.expiresAt === undefined ? dateIn(state, 30) : fields.expiresAt,
    family: fields.family ?? id,
    revoked: false,
    lastUsedAt: null,
  };
  state.tokens.push(token);
  return token;
}

/** The bot of a new project or group token, member with the token's role. */
export function addBot(
  state: State,
  resource: { readonly id: number; readonly members: Map<number, AccessLevel> },
  kind: 'project' | 'group',
  name: string,
  level: AccessLevel,
): User {
  const username = `${kind}_${resource.id}_bot_${randomBytes(8).toString('hex')}`;
  const user = addUser(state, { username, name, bot: true });
  resource.members.set(user.id, level);
  return user;
}

/** A key pair for the life of the process. */
export function createSigner(): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const keyId = randomBytes(16).toString('base64url');
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return {
    keyId,
    publicKey,
    sign(claims) {
      const head = `${encode({ alg: 'RS256', typ: 'JWT', kid: keyId })}.${encode(claims)}`;
      return `${head}.${createSign('RSA-SHA256').update(head).sign(privateKey).toString('base64url')}`;
    },
  };
}

/**
 * A job token as the profile makes it: opaque and short up to 18.x, a JWT from 19.0 on
 * (docs.gitlab.com/ci/jobs/ci_job_token: never rely on length or characters).
 */
export function jobToken(state: State, jobId: number, projectId: number, userId: number): string {
  if (state.profile !== '19.4') return `glcbt-${jobId.toString(16)}_${randomBytes(15).toString('hex')}`;
  const now = Math.floor(state.clock.now() / 1000);
  return `glcbt-${state.signer.sign({ iss: state.url, sub: `gid://gitlab/Ci::Build/${jobId}`, aud: 'gitlab-authz-token', iat: now, nbf: now - 5, exp: now + 7200, jti: randomBytes(16).toString('hex'), version: '0.1.0', p: projectId.toString(36), u: userId.toString(36) })}`;
}
