import { readFileSync } from 'node:fs';
import { Fault } from '../fault.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Go's programs never send these to a proxy; git and ORAS beside us shall not go another way than we. */
const local = 'localhost,127.0.0.1,::1';

/**
 * Lets this process's own requests (GitLab, registries, Receivers) go where the environment sends git, ORAS and kubectl:
 * proxies by HTTPS_PROXY, HTTP_PROXY and NO_PROXY, further CAs by SSL_CERT_FILE and, in a job, CI_SERVER_TLS_CA_FILE.
 * Call it once, before the first request. Node's network is loaded only where there is something to set. Fault
 * `file_unreadable` for a CA file that cannot be read.
 */
export function useNetwork(env: Environment): void {
  const named = (name: string) => env[name] || env[name.toLowerCase()] || undefined;
  const [http, https] = [named('HTTP_PROXY'), named('HTTPS_PROXY')];
  if (http !== undefined || https !== undefined)
    process.getBuiltinModule('node:http').setGlobalProxyFromEnv({
      ...(http === undefined ? {} : { HTTP_PROXY: http }),
      ...(https === undefined ? {} : { HTTPS_PROXY: https }),
      NO_PROXY: [named('NO_PROXY'), local].filter((part) => part !== undefined).join(','),
    });
  const authorities = ['SSL_CERT_FILE', 'CI_SERVER_TLS_CA_FILE'].flatMap((name) => {
    const path = env[name];
    return path ? certificatesIn(path, name) : [];
  });
  if (authorities.length === 0) return;
  const tls = process.getBuiltinModule('node:tls');
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), ...authorities]);
}

function certificatesIn(path: string, name: string): readonly string[] {
  try {
    const text = readFileSync(path, 'utf8');
    return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  } catch (error) {
    throw new Fault(
      'file_unreadable',
      `${name} names ${path}: ${error instanceof Error ? error.message : 'unreadable'}`,
    );
  }
}
