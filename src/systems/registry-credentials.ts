import { secret, type Secret } from '../secret.ts';

/** A user and password for one registry host (`host[:port]`). */
export interface RegistryCredential {
  readonly host: string;
  readonly user: string;
  readonly password: Secret;
}

/** Where credentials may stand. */
export interface CredentialSources {
  /** A variable that holds a credential (its value, or the content of the file it names). */
  secret(variable: string): Secret | undefined;
  /** Any other variable. */
  variable(name: string): string | undefined;
  /** Text of a file, or null. */
  readFile(path: string): Promise<string | null>;
  /** What `docker-credential-<name> get` answers for a host, or null. */
  helper?(name: string, host: string): Promise<string | null>;
  /** `host[:port][/path]` that artifacts go to: the host that SLUICE_REGISTRY_USER belongs to. */
  readonly registry: string | undefined;
}

/**
 * Registry credentials, strongest first: SLUICE_REGISTRY_USER/PASSWORD (for the host of `registry`),
 * CI_REGISTRY_USER/PASSWORD (for CI_REGISTRY), then a docker configuration: DOCKER_AUTH_CONFIG, else
 * $DOCKER_CONFIG/config.json, else ~/.docker/config.json, with its `auths`, `credHelpers` and `credsStore`. A host's
 * first entry counts.
 */
export async function registryCredentials(sources: CredentialSources): Promise<readonly RegistryCredential[]> {
  const found: RegistryCredential[] = [];
  const add = (host: string | undefined, prefix: string) => {
    const user = sources.variable(`${prefix}_USER`) ?? sources.secret(`${prefix}_USER`)?.reveal();
    const password = sources.secret(`${prefix}_PASSWORD`);
    if (host !== undefined && user !== undefined && password) found.push({ host: hostOf(host), user, password });
  };
  add(sources.registry ?? sources.variable('CI_REGISTRY'), 'SLUICE_REGISTRY');
  add(sources.variable('CI_REGISTRY'), 'CI_REGISTRY');
  const home = sources.variable('HOME');
  const folder = sources.variable('DOCKER_CONFIG') ?? (home === undefined ? undefined : `${home}/.docker`);
  const inline = sources.secret('DOCKER_AUTH_CONFIG')?.reveal();
  const text = inline ?? (folder === undefined ? null : await sources.readFile(`${folder}/config.json`));
  found.push(...dockerCredentials(text ?? '{}'));
  if (!sources.helper) return found;
  const known = new Set(found.map(({ host }) => host));
  const asked = dockerHelpers(text ?? '{}', sources.registry).filter(({ address }) => !known.has(hostOf(address)));
  const answers = await Promise.all(
    asked.map(async ({ name, address }) => helperCredential(address, (await sources.helper?.(name, address)) ?? null)),
  );
  return [...found, ...answers.flatMap((one) => one ?? [])];
}

/**
 * The helpers that a docker configuration names, and for which address each is asked: `credHelpers` by host; `credsStore`
 * for the hosts of `auths` and that of `registry` (docs.docker.com/reference/cli/docker/login, "Credential stores").
 */
function dockerHelpers(
  text: string,
  registry: string | undefined,
): readonly { readonly name: string; readonly address: string }[] {
  let config: { auths?: object; credHelpers?: Record<string, string>; credsStore?: string };
  try {
    config = JSON.parse(text) as typeof config;
  } catch {
    return [];
  }
  const helpers = new Map(Object.entries(config.credHelpers ?? {}));
  if (config.credsStore !== undefined && config.credsStore !== '') {
    const own = registry === undefined ? [] : [hostOf(registry)];
    for (const address of [...Object.keys(config.auths ?? {}), ...own]) {
      if (!helpers.has(address)) helpers.set(address, config.credsStore);
    }
  }
  return [...helpers].filter(([, name]) => /^[\w.-]+$/.test(name)).map(([address, name]) => ({ name, address }));
}

/** A helper's answer; an identity token (user `<token>`) is no password and counts as none. */
function helperCredential(address: string, answer: string | null): RegistryCredential | null {
  try {
    const { Username: user = '', Secret: password = '' } = JSON.parse(answer ?? '{}') as Record<string, string>;
    if (user === '' || user === '<token>' || password === '') return null;
    return { host: hostOf(address), user, password: secret(password) };
  } catch {
    return null;
  }
}

/** The `auths` of a docker configuration; entries that hold no password (credential helpers) are left out. */
export function dockerCredentials(text: string): readonly RegistryCredential[] {
  let auths: Record<string, { auth?: string; username?: string; password?: string }> = {};
  try {
    auths = (JSON.parse(text) as { auths?: typeof auths }).auths ?? {};
  } catch {
    return [];
  }
  return Object.entries(auths).flatMap(([host, entry]) => {
    const [user = '', ...rest] =
      entry.auth === undefined
        ? [entry.username ?? '', entry.password ?? '']
        : Buffer.from(entry.auth, 'base64').toString().split(':');
    const password = rest.join(':');
    return user === '' || password === '' ? [] : [{ host: hostOf(host), user, password: secret(password) }];
  });
}

/** Host of `[https://]host[:port][/path]`; docker.io's old address is its registry's. */
function hostOf(address: string): string {
  const host = address.replace(/^https?:\/\//, '').split('/')[0] ?? '';
  return ['docker.io', 'index.docker.io'].includes(host) ? 'registry-1.docker.io' : host;
}

/** Loopback hosts are spoken to by plain HTTP, all others by HTTPS only. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/.test(host);
}
