import { refusal, type Answer } from './answer.ts';

/** One entry of a registry token's `access` claim. */
export interface Access {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

/** Token auth as GitLab has it: clients fetch a bearer token at `realm`, the registry checks it. */
export interface TokenAuth {
  readonly realm: string;
  /** `container_registry` in GitLab. */
  readonly service: string;
  /** The token's access, or null where it is not valid (any more). */
  verify(token: string): readonly Access[] | null | Promise<readonly Access[] | null>;
}

/** Basic auth, as a plain registry with htpasswd has it. */
export interface BasicAuth {
  basic(user: string, password: string): boolean;
}

export type Auth = TokenAuth | BasicAuth;

/** null: allowed; else the refusal with its challenge. `repository` null is the API's version check. */
export async function authorize(
  auth: Auth | undefined,
  authorization: string | undefined,
  repository: string | null,
  actions: readonly string[],
): Promise<Answer | null> {
  if (!auth) return null;
  const [scheme = '', credential = ''] = (authorization ?? '').split(' ');
  if ('basic' in auth) {
    const [user = '', ...password] = Buffer.from(credential, 'base64').toString().split(':');
    if (scheme.toLowerCase() === 'basic' && auth.basic(user, password.join(':'))) return null;
    return unauthorized('Basic realm="registry"', repository, actions);
  }
  const access = scheme.toLowerCase() === 'bearer' ? await auth.verify(credential) : null;
  const missing = actions.filter(
    (action) =>
      !access?.some(
        (entry) =>
          entry.type === 'repository' &&
          entry.name === repository &&
          (entry.actions.includes(action) || entry.actions.includes('*')),
      ),
  );
  if (access && (repository === null || missing.length === 0)) return null;
  const scope = repository === null ? '' : `,scope="repository:${repository}:${actions.join(',')}"`;
  const error = access ? ',error="insufficient_scope"' : credential === '' ? '' : ',error="invalid_token"';
  return unauthorized(`Bearer realm="${auth.realm}",service="${auth.service}"${scope}${error}`, repository, actions);
}

function unauthorized(challenge: string, repository: string | null, actions: readonly string[]): Answer {
  const detail = actions.map((Action) => ({ Type: 'repository', Class: '', Name: repository, Action }));
  return refusal(401, 'UNAUTHORIZED', 'authentication required', detail, { 'www-authenticate': challenge });
}
