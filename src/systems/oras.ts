import { Fault, type FaultCode } from '../fault.ts';
import type { Files } from './files.ts';
import { ProcessFailure, type Processes } from './process.ts';
import { isLoopback, type RegistryCredential } from './registry-credentials.ts';
import { split } from './registry-request.ts';
import type { Registry } from './registry.ts';

/**
 * The writing half of `Registry`, by the ORAS CLI. Credentials reach it in a private configuration file that is removed
 * on every way out. ORAS itself retries 408, 429 and 5xx.
 */
export function connectOras(options: {
  readonly processes: Processes;
  readonly files: Files;
  readonly credentials: readonly RegistryCredential[];
}): Pick<Registry, 'push' | 'tag'> {
  async function oras(
    repository: string,
    args: (config: string, plain: boolean) => readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { host } = split(repository);
    await using folder = await privateConfig(options, repository);
    const config = `${folder.path}/config.json`;
    const attempt = async () => {
      try {
        await options.processes.run('oras', args(config, isLoopback(host)), { signal });
      } catch (error) {
        throw error instanceof ProcessFailure ? orasFault(repository, error) : error;
      }
    };
    try {
      await attempt();
    } catch (error) {
      // A registry token may expire in the middle of a push, and ORAS does not ask for another: a new process does.
      if (!(error instanceof Fault) || error.code !== 'token_refused' || !folder.hasCredential) throw error;
      await attempt();
    }
  }
  return {
    async push(layout, refName, repository, tags, signal) {
      const args = (config: string, plain: boolean) => [
        'cp',
        '--no-tty',
        '--from-oci-layout',
        '--to-registry-config',
        config,
        ...(plain ? ['--to-plain-http'] : []),
        '--',
        `${layout}:${refName}`,
        `${repository}:${tags.join(',')}`,
      ];
      await oras(repository, args, signal);
    },
    async tag(repository, digest, tag, signal) {
      const args = (config: string, plain: boolean) => [
        'tag',
        '--registry-config',
        config,
        ...(plain ? ['--plain-http'] : []),
        '--',
        `${repository}@${digest}`,
        tag,
      ];
      await oras(repository, args, signal);
    },
  };
}

/** A folder with a docker `config.json` that holds the credential of a repository's host alone; removed on disposal. */
export async function privateConfig(
  options: { readonly files: Files; readonly credentials: readonly RegistryCredential[] },
  repository: string,
): Promise<{ readonly path: string; readonly hasCredential: boolean } & AsyncDisposable> {
  const { host } = split(repository);
  const credential = options.credentials.find((entry) => entry.host === host);
  const auth = credential && Buffer.from(`${credential.user}:${credential.password.reveal()}`).toString('base64');
  const folder = await options.files.temporary('sluice-oras-');
  try {
    const text = JSON.stringify({ auths: auth === undefined ? {} : { [host]: { auth } } });
    await options.files.write(`${folder.path}/config.json`, text);
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
  return {
    path: folder.path,
    hasCredential: credential !== undefined,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** What ORAS's words (it knows exit code 1 only) mean for the user. First match counts. */
const MEANINGS: readonly (readonly [RegExp, FaultCode, string | undefined])[] = [
  [/invalid reference/i, 'usage', 'Repositories are HOST/PATH in lower case, without scheme; tags are [A-Za-z0-9_.-].'],
  [
    /immutable|protected/i,
    'registry_refused',
    'A tag protection rule of the project forbids it: let the pipeline’s user push these tags.',
  ],
  [
    /unknown media type|MANIFEST_INVALID|manifest invalid/i,
    'registry_refused',
    'The registry does not take this media type: GitLab has taken Flux’s since 2023, an older registry must be updated.',
  ],
  [
    /quota|insufficient storage|507|storage limit/i,
    'registry_refused',
    'The storage quota is used up: remove artifacts or raise it.',
  ],
  [/TOOMANYREQUESTS|status code 429/i, 'registry_unavailable', 'The registry limits the rate: run again later.'],
  [
    /unauthorized|status code 401|denied|forbidden|status code 403/i,
    'token_refused',
    'Check the registry credential: expiry, scopes (read_registry, write_registry) and role (Developer).',
  ],
  [
    /name[ _]unknown|status code 404/i,
    'registry_refused',
    'The repository does not exist or its registry is switched off.',
  ],
  // ORAS writes the registry's error codes in words: NAME_UNKNOWN is "name unknown:".
  [/status code 4\d\d|(?:name|tag|size|digest) invalid:|unsupported:/i, 'registry_refused', undefined],
];

/** The fault for a failed run of ORAS (or of another tool that writes to registries), from its stderr. */
export function orasFault(repository: string, failure: ProcessFailure, act = 'push'): Fault {
  const lines = failure.stderr.split('\n').filter((line) => line.trim() !== '');
  const words = (lines.findLast((line) => line.startsWith('Error')) ?? lines.at(-1) ?? '').slice(0, 500);
  // References and addresses are quoted: a repository may be called "protected".
  const said = failure.stderr.replaceAll(/"[^"]*"/g, '""').replaceAll(repository, '');
  const meaning = MEANINGS.find(([pattern]) => pattern.test(said));
  return new Fault(meaning?.[1] ?? 'registry_unavailable', `${repository}: ${act} failed: ${words}`, {
    hint: meaning?.[2],
  });
}
