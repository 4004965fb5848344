import { isOlder } from './tools.ts';
import { judge, type Finding } from './finding.ts';

/** What a look at GitLab's address gave. */
export interface ReachFacts {
  /** null: not known. */
  readonly url: string | null;
  /** HTTP status of `/api/v4/version` without a token; null where no answer came. */
  readonly status: number | null;
  /** Why there was no answer, in the words of the network. */
  readonly failure: string | null;
  /** By a token; null where it was not asked. */
  readonly version: string | null;
}

const OLDEST = '17.11.0';

/** Judges reach and TLS of GitLab. */
export function judgeReach({ url, status, failure, version }: ReachFacts): readonly Finding[] {
  const { ok, warn, fault, unknown } = judge('gitlab', url ?? '');
  if (url === null) {
    return [
      unknown('gitlab-unknown', 'the address of GitLab is not known', 'Give --gitlab URL, or run in a GitLab job.'),
    ];
  }
  if (failure !== null) {
    const repair = /cert|signature|altname|self.signed|issuer/i.test(failure)
      ? 'Name the CA that signed its certificate in SSL_CERT_FILE (a file variable), and check the name in the address.'
      : /ENOTFOUND|EAI_AGAIN|getaddrinfo/.test(failure)
        ? 'Correct the host name (--gitlab), or the resolver of this machine.'
        : 'Check address and port, and HTTPS_PROXY and NO_PROXY where a proxy stands between.';
    return [fault('gitlab-unreachable', 'gitlab_unavailable', `no answer: ${failure}`, repair)];
  }
  if (status !== 200 && status !== 401 && status !== 403) {
    return [
      fault(
        'gitlab-other',
        'gitlab_unavailable',
        `/api/v4/version was answered ${status}: this is not GitLab’s API, or it is down`,
        'Give the address that GitLab’s own pages begin with (with its path, where it has one).',
      ),
    ];
  }
  const plain = url.startsWith('http://') && !/^http:\/\/(localhost|127\.|\[::1\])/.test(url);
  return [
    plain
      ? warn('gitlab-plain', 'answers, but tokens travel unencrypted (http)', 'Use its https address.')
      : ok('gitlab-reach', url.startsWith('https:') ? 'answers, and its certificate is trusted' : 'answers'),
    ...(version === null
      ? []
      : isOlder(version, OLDEST)
        ? [warn('gitlab-old', `GitLab ${version} is older than ${OLDEST}, the oldest supported`, 'Update GitLab.')]
        : [ok('gitlab-version', `GitLab ${version}`)]),
  ];
}
