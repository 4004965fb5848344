import { secret, type Secret } from '../../secret.ts';
import type { Clock } from '../../systems/clock.ts';
import type { KubernetesObject } from '../../systems/cluster.ts';
import type {
  ClusterInspection,
  GitLabInspection,
  InspectedDeployToken,
  RegistryInspection,
} from '../../systems/inspection.ts';
import { resourceKind } from '../../notify/kinds.ts';
import { answerOr, attempt } from './attempt.ts';
import { inspectedKinds } from './cluster-objects.ts';
import { judgeCredential, type CredentialFacts } from './credential.ts';
import type { Finding } from './finding.ts';
import { nameOf } from './sources.ts';
import { kindOf } from './token.ts';

/** What looking at Flux's credentials needs. */
export interface CredentialSystems {
  readonly registry: RegistryInspection;
  /** GitLab with a token that was found; null where its address is not known. */
  readonly gitlabAs: ((token: Secret) => Promise<GitLabInspection>) | null;
  /** Hosts that belong to that GitLab: a token is shown to it for these alone. */
  readonly gitlabHosts: readonly string[];
  /** Deploy tokens of the delivery project; null where they may not be read. */
  readonly deployTokens: readonly InspectedDeployToken[] | null;
  /** Tells the redaction gate. */
  readonly conceal: (value: string) => void;
  readonly clock: Clock;
}

interface Found {
  readonly host: string;
  /** `host/path`. */
  readonly repository: string;
  readonly user: string;
  readonly password: string;
}

/** Looks at the Secrets that sources pull with. Their values are told to nobody but the registry and GitLab that they are for. */
export async function examineCredentials(
  cluster: ClusterInspection,
  name: string,
  sources: readonly KubernetesObject[],
  systems: CredentialSystems,
): Promise<readonly Finding[]> {
  const bySecret = Map.groupBy(
    sources.filter((source) => secretNameOf(source) !== null),
    (source) => `${source.metadata.namespace ?? ''}/${secretNameOf(source)}`,
  );
  const findings = await Promise.all(
    [...bySecret].map(async ([key, users]) => {
      const [namespace = '', secretName = ''] = key.split('/');
      const label = { cluster: name, secret: `Secret ${key}`, users: users.map(nameOf).join(', ') };
      const read = await cluster.get(resourceKind(inspectedKinds.Secret), namespace, secretName);
      if (typeof read === 'string') return judgeCredential({ ...label, state: read });
      const found = credentialIn(read, users[0]!);
      if (found === null) return judgeCredential({ ...label, state: 'unreadable' });
      systems.conceal(found.password);
      return judgeCredential({ ...label, state: 'read', ...(await learn(found, users[0]!, systems)) });
    }),
  );
  return findings.flat();
}

type Learnt = Omit<CredentialFacts, 'cluster' | 'secret'>;

async function learn(found: Found, source: KubernetesObject, systems: CredentialSystems): Promise<Learnt> {
  const { password, user, host } = found;
  const kind = password.startsWith('gldt-')
    ? 'deploy'
    : /^(glpat|glgat)-/.test(password)
      ? 'access'
      : password.startsWith('glcbt-') || /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/.test(password)
        ? 'job'
        : 'other';
  const own = systems.gitlabHosts.includes(host);
  const access =
    source.kind === 'OCIRepository'
      ? await attempt(() => systems.registry.access(found.repository, { user, password }))
      : null;
  const deploy = kind === 'deploy' ? systems.deployTokens?.find((token) => token.username === user) : undefined;
  const asked = own && kind === 'access' && systems.gitlabAs !== null ? await systems.gitlabAs(secret(password)) : null;
  const token = asked === null ? null : answerOr(await attempt(() => asked.ownToken()), null);
  const account = asked === null ? null : answerOr(await attempt(() => asked.user()), null);
  const owner = kindOf(account);
  const byName = /^(project|group)_\d+_bot|^service_account_/.test(user) ? 'bot' : null;
  return {
    host,
    user,
    kind,
    actions: access !== null && 'answer' in access ? access.answer.actions : null,
    refused:
      access !== null && 'fault' in access && access.fault.code === 'token_refused' ? access.fault.message : null,
    scopes: token?.scopes ?? deploy?.scopes ?? null,
    owner: owner === 'person' ? 'person' : owner === null ? byName : 'bot',
    expiresAt: token?.expiresAt ?? deploy?.expiresAt ?? null,
    now: systems.clock.now(),
  };
}

function secretNameOf({ spec }: KubernetesObject): string | null {
  const ref = spec?.['secretRef'] as { readonly name?: string } | undefined;
  return ref?.name ?? null;
}

/** User and password for a source's address, out of a docker configuration or a basic-auth Secret. */
function credentialIn(object: KubernetesObject, source: KubernetesObject): Found | null {
  const { data = {} } = object as { readonly data?: Readonly<Record<string, string>> };
  const text = (key: string) => Buffer.from(data[key] ?? '', 'base64').toString();
  const url = textOf(source.spec?.['url']).replace(/^[a-z]+:\/\//, '');
  const host = url.split('/')[0] ?? '';
  if (data['.dockerconfigjson'] !== undefined) {
    try {
      const { auths = {} } = JSON.parse(text('.dockerconfigjson')) as {
        readonly auths?: Readonly<Record<string, { auth?: string; username?: string; password?: string }>>;
      };
      const entry = Object.entries(auths).find(([key]) => key.replace(/^https?:\/\//, '').split('/')[0] === host)?.[1];
      if (!entry) return null;
      const [user = '', ...rest] = Buffer.from(entry.auth ?? '', 'base64')
        .toString()
        .split(':');
      const given = { user: entry.username ?? user, password: entry.password ?? rest.join(':') };
      return given.password === '' ? null : { host, repository: url, ...given };
    } catch {
      return null;
    }
  }
  const password = text('password') || text('bearerToken');
  return password === '' ? null : { host, repository: url.replace(/\.git$/, ''), user: text('username'), password };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
