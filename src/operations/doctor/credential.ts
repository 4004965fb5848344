import { judge, type Finding } from './finding.ts';

/** What is known of a credential that Flux pulls with. It holds no secret. */
export interface CredentialFacts {
  readonly cluster: string;
  /** "Secret flux-system/delivery-registry", of which sources. */
  readonly secret: string;
  /** Host of the registry (or of GitLab, for git) that it is for. */
  readonly host: string;
  readonly user: string;
  /** By the first letters: deploy · access (personal, project or group token) · job · other. */
  readonly kind: 'deploy' | 'access' | 'job' | 'other';
  /** What the registry grants with it; null: not known. */
  readonly actions: readonly string[] | null;
  /** Why the registry refuses it; null: it does not. */
  readonly refused: string | null;
  /** Scopes, by GitLab; null: not known. */
  readonly scopes: readonly string[] | null;
  /** Whose access token it is. */
  readonly owner: 'person' | 'bot' | null;
  readonly expiresAt: string | null;
  readonly now: number;
}

const DAY_MS = 86_400_000;

/** What may stand in the place of a pull Secret. */
export type SecretFacts =
  | {
      readonly state: 'forbidden' | 'missing' | 'unreadable';
      readonly cluster: string;
      readonly secret: string;
      readonly users: string;
    }
  | ({ readonly state: 'read' } & CredentialFacts);

const REPLACE = 'Make a deploy token with read_registry alone (read_repository for source: git), and put it into';

/** Judges Flux's credential: it must read, must not write, must not belong to a person. */
export function judgeCredential(facts: SecretFacts): readonly Finding[] {
  const { fault, unknown } = judge('credential', facts.cluster);
  const { state } = facts;
  if (state === 'read') return [judgeRead(facts)];
  if (state === 'forbidden') {
    return [
      unknown(
        'credential-unknown',
        `${facts.secret} may not be read by this credential (as it should be for a job): what Flux pulls with is not known`,
        'Run doctor once with an administrator’s kubeconfig.',
      ),
    ];
  }
  return [
    state === 'missing'
      ? fault(
          'credential-missing',
          'cluster_failed',
          `${facts.secret} is not there, and ${facts.users} names it`,
          `${REPLACE} ${facts.secret} (sluice init prints the commands).`,
        )
      : fault(
          'credential-unreadable',
          'cluster_failed',
          `${facts.secret} holds no credential for what ${facts.users} pulls`,
          `${REPLACE} ${facts.secret} (sluice init prints the commands).`,
        ),
  ];
}

function judgeRead(facts: CredentialFacts): Finding {
  const { ok, warn, fault, unknown } = judge('credential', facts.cluster);
  const { secret, user } = facts;
  const repair = `${REPLACE} ${secret}.`;
  if (facts.refused !== null)
    return fault('credential-refused', 'token_refused', `${secret} (${user}) is refused: ${facts.refused}`, repair);
  if (facts.owner === 'person')
    return fault(
      'credential-person',
      'token_refused',
      `${secret} holds the token of a person (${user}): with the person the delivery goes, and it may do what the person may`,
      repair,
    );
  const writes =
    facts.actions?.some((action) => action !== 'pull') === true ||
    facts.scopes?.some((scope) => /^(api|write_)/.test(scope)) === true;
  if (writes)
    return fault(
      'credential-writes',
      'token_refused',
      `${secret} (${user}) can write${facts.scopes === null ? '' : ` (${facts.scopes.join(', ')})`}: whoever reads it in the cluster can replace what is delivered`,
      repair,
    );
  if (facts.kind === 'job')
    return fault('credential-job', 'token_refused', `${secret} holds a job token, which dies with its job`, repair);
  const left = facts.expiresAt === null ? null : Math.floor((Date.parse(facts.expiresAt) - facts.now) / DAY_MS);
  if (left !== null && left < 30)
    return warn('credential-expiry', `${secret} (${user}) expires on ${facts.expiresAt?.slice(0, 10)}`, repair);
  if (facts.actions === null && facts.scopes === null)
    return unknown(
      'credential-rights',
      `what ${secret} (${user}) may do is not told by ${facts.host}`,
      'See that it only reads.',
    );
  return ok('credential', `${secret} (${user}) reads, and cannot write`);
}
