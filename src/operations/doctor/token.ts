import type { InspectedToken, InspectedUser } from '../../systems/inspection.ts';
import type { Fault } from '../../fault.ts';
import { judge, type Check, type Finding } from './finding.ts';

/** What is known of one token. */
export interface TokenFacts {
  /** What it is looked at for. */
  readonly check: Check;
  /** Its variable. */
  readonly variable: string;
  /** First letters, which tell its kind (docs.gitlab.com/security/tokens, "Token prefixes"); never more. */
  readonly prefix: string;
  /** null: GitLab knows no access token like that. */
  readonly token: InspectedToken | null;
  readonly user: InspectedUser | null;
  readonly refusal: Fault | null;
  /** Is this a job? There, a person's token is a finding. */
  readonly inJob: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** What it is for. */
  readonly use: 'statuses' | 'push';
}

const SOON_DAYS = 30;
const DAY_MS = 86_400_000;
const MAKE = 'a project access token of the project (Settings > Access tokens) with the scope api';

/** Whose token it is, for people. */
export function kindOf(user: InspectedUser | null): 'project' | 'group' | 'service account' | 'bot' | 'person' | null {
  if (user === null) return null;
  if (/^project_\d+_bot/.test(user.username)) return 'project';
  if (/^group_\d+_bot/.test(user.username)) return 'group';
  if (user.username.startsWith('service_account_')) return 'service account';
  return user.bot === true ? 'bot' : 'person';
}

/** Judges kind, scopes and expiry of a token. */
export function judgeToken(facts: TokenFacts): readonly Finding[] {
  const { check, variable, prefix, token, user, refusal, use } = facts;
  const { ok, warn, fault, unknown } = judge(check, variable);
  if (prefix.startsWith('gldt-')) {
    const message =
      use === 'push'
        ? 'is a deploy token: it can clone, but not push'
        : 'is a deploy token: it can clone and pull, but not ask GitLab’s API nor post a status';
    return [fault('token-kind', 'token_refused', message, `Store ${MAKE} in ${variable} instead.`)];
  }
  if (prefix.startsWith('glcbt-')) {
    const message = 'is a job token: it dies with its job and cannot post a status';
    return [fault('token-kind', 'token_refused', message, `Store ${MAKE} in ${variable} instead.`)];
  }
  if (refusal !== null) {
    return refusal.code === 'token_refused'
      ? [
          fault(
            'token-refused',
            'token_refused',
            `GitLab refuses it: ${refusal.message}`,
            `Make ${MAKE}, and store it in ${variable}.`,
          ),
        ]
      : [unknown('token-unknown', `GitLab could not be asked: ${refusal.message}`, 'Repair the way to GitLab first.')];
  }
  const kind = kindOf(user);
  const findings: Finding[] = [];
  if (kind === 'person' && facts.inJob) {
    findings.push(
      warn(
        'token-person',
        `belongs to a person (${user?.username}): with the person the delivery goes`,
        `Store ${MAKE} in ${variable} instead.`,
      ),
    );
  } else if (kind !== null) findings.push(ok('token-kind', `${kind} token of ${user?.username}`));
  if (token === null) {
    const give = 'Use a personal, project or group access token.';
    return [
      ...findings,
      unknown('token-scopes', 'its scopes and its expiry are not known: it is no access token', give),
    ];
  }
  findings.push(judgeScopes(token.scopes, facts), judgeExpiry(token, facts));
  if (token.scopes.some((scope) => scope === 'sudo' || scope === 'admin_mode')) {
    findings.push(
      warn('token-wide', 'may act as any user (sudo, admin_mode)', `A narrower token does: ${MAKE} alone.`),
    );
  }
  if (use === 'push' && token.scopes.includes('api')) {
    findings.push(
      warn(
        'token-wide',
        'has the scope api, and pushing needs write_repository alone',
        `Make a token with the scope write_repository alone, and store it in ${variable}.`,
      ),
    );
  }
  return findings;
}

function judgeScopes(scopes: readonly string[], { check, variable, use }: TokenFacts): Finding {
  const { ok, fault } = judge(check, variable);
  const enough = scopes.includes('api') || (use === 'push' && scopes.includes('write_repository'));
  const wanted = use === 'push' ? 'write_repository' : 'api';
  if (enough) return ok('token-scopes', `scopes: ${scopes.join(', ')}`);
  return fault(
    'token-scopes',
    'token_refused',
    `has the scopes ${scopes.join(', ') || '(none)'}, and not ${wanted}, which ${use === 'push' ? 'pushing' : 'posting statuses'} needs`,
    `Make a new token with the scope ${wanted} (scopes cannot be added), and store it in ${variable}.`,
  );
}

function judgeExpiry(token: InspectedToken, { check, variable, now }: TokenFacts): Finding {
  const { ok, warn, fault } = judge(check, variable);
  if (token.expiresAt === null) return ok('token-expiry', 'never expires');
  // A token expires at midnight UTC of its date.
  const left = Math.floor((Date.parse(token.expiresAt) - now) / DAY_MS);
  const rotate = `Rotate it (the project’s Settings > Access tokens), and store the new value in ${variable}.`;
  if (left < 0) return fault('token-expired', 'token_refused', `expired on ${token.expiresAt}`, rotate);
  if (left < SOON_DAYS)
    return warn('token-expiry', `expires on ${token.expiresAt}, in ${left === 1 ? '1 day' : `${left} days`}`, rotate);
  return ok('token-expiry', `expires on ${token.expiresAt}`);
}
