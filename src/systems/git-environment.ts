import { Fault } from '../fault.ts';
import type { Secret } from '../secret.ts';

/** Settings of one git call beyond the common ones, as `key` and `value` of git's configuration. */
export type GitSetting = readonly [key: string, value: string];

/**
 * Settings under which nothing of a repository's own content or configuration is executed: no hooks, no fsmonitor,
 * no submodules, no background maintenance. `safe.directory` is honoured from the environment, since that counts as
 * command scope (https://git-scm.com/docs/git-config#SCOPES).
 */
const HARMLESS: readonly GitSetting[] = [
  ['safe.directory', '*'],
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.attributesFile', '/dev/null'],
  ['core.quotePath', 'false'],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  ['submodule.recurse', 'false'],
  ['fetch.recurseSubmodules', 'false'],
  ['fetch.writeCommitGraph', 'false'],
  ['push.recurseSubmodules', 'no'],
  ['push.gpgSign', 'false'],
  ['push.followTags', 'false'],
  ['commit.gpgSign', 'false'],
  ['log.showSignature', 'false'],
  // In a bare repository the tip's .mailmap would be read, a blob that a blobless clone has not.
  ['log.mailmap', 'false'],
  ['i18n.logOutputEncoding', 'UTF-8'],
  ['http.followRedirects', 'initial'],
];

/**
 * Environment of a git call: no system and user configuration, no questions, replaced objects ignored, and
 * only `protocols` allowed for transport (none by default). Credentials belong in `settings`, which never show in argv.
 */
export function gitEnvironment(
  settings: readonly GitSetting[] = [],
  protocols: readonly string[] = [],
): Readonly<Record<string, string>> {
  const all = [...HARMLESS, ...settings];
  return {
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '',
    SSH_ASKPASS: '',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_SYSTEM: '/dev/null',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_LITERAL_PATHSPECS: '1',
    GIT_ALLOW_PROTOCOL: protocols.length === 0 ? 'none' : protocols.join(':'),
    GIT_CONFIG_COUNT: String(all.length),
    ...Object.fromEntries(
      all.flatMap(([key, value], index) => [
        [`GIT_CONFIG_KEY_${index}`, key],
        [`GIT_CONFIG_VALUE_${index}`, value],
      ]),
    ),
  };
}

/** The token as an HTTP header for one URL and no other; GitLab takes any user name with a token, `oauth2` by convention. */
export function tokenHeader(url: string, token: Secret): GitSetting {
  const basic = Buffer.from(`oauth2:${token.reveal()}`).toString('base64');
  return [`http.${url}.extraHeader`, `Authorization: Basic ${basic}`];
}

/** The scheme by which git would reach a URL: `https`, `http`, `ssh` (scp-like too), `file` (paths too), or another. */
export function schemeOf(url: string): string {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase();
  if (scheme !== undefined) return scheme === 'git+ssh' || scheme === 'ssh+git' ? 'ssh' : scheme;
  const helper = /^([a-z0-9]+)::/i.exec(url)?.[1];
  if (helper !== undefined) return helper.toLowerCase();
  return /^[^/\\]+:(?!\/\/)/.test(url) && !/^[a-z]:[\\/]/i.test(url) ? 'ssh' : 'file';
}

/**
 * The one protocol to allow for a delivery repository's URL. Fault `usage` for anything but https, ssh, http on
 * loopback, and (where `allowFile`) local paths; also for a URL with a password in it.
 */
export function allowedProtocol(url: string, allowFile = false): string {
  const scheme = schemeOf(url);
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed?.password && scheme !== 'ssh') {
    throw new Fault('usage', `the URL of the delivery repository on ${parsed.host} holds a password`, {
      hint: 'Write the URL without user and password; the token comes from SLUICE_GIT_TOKEN.',
    });
  }
  if (scheme === 'https' || scheme === 'ssh' || (scheme === 'file' && allowFile)) return scheme;
  if (scheme === 'http' && parsed && isLoopback(parsed.hostname)) return scheme;
  throw new Fault('usage', `"${withoutUser(url)}": ${scheme} is not allowed for the delivery repository`, {
    hint: scheme === 'http' ? 'The token would travel unencrypted: use https.' : 'Use an https or ssh URL.',
  });
}

/** A URL without user and password, for messages. */
export function withoutUser(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1');
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127(\.\d+){3}$/.test(host);
}
