import { Fault } from '../fault.ts';
import type { Secret } from '../secret.ts';
import type { Files } from './files.ts';
import { orasFault, privateConfig } from './oras.ts';
import { ProcessFailure, type Processes } from './process.ts';
import type { RegistryCredential } from './registry-credentials.ts';
import type { Signer } from './signer.ts';

const KEY_VARIABLE = 'SLUICE_SIGNING_KEY';

/**
 * Signatures by the cosign CLI with a private key, as Flux's `spec.verify` (provider cosign, secretRef) takes them:
 * without transparency log, and in the layout of cosign 2 (tag `sha256-<hex>.sig`), which every Flux and GitLab's list
 * of media types know. Key and password travel in the child's environment.
 */
export function connectCosign(options: {
  readonly processes: Processes;
  readonly files: Files;
  readonly credentials: readonly RegistryCredential[];
  /** PEM text, as `cosign generate-key-pair` writes it. */
  readonly key: Secret;
  readonly password: Secret | undefined;
}): Signer {
  return {
    async sign(repository, digest, signal) {
      await using config = await privateConfig(options, repository);
      const env = {
        DOCKER_CONFIG: config.path,
        COSIGN_PASSWORD: options.password?.reveal() ?? '',
        [KEY_VARIABLE]: options.key.reveal(),
      };
      const plain = ['--use-signing-config=false', '--new-bundle-format=false', '--tlog-upload=false'];
      const args = ['sign', '--yes', '--key', `env://${KEY_VARIABLE}`, ...plain, '--', `${repository}@${digest}`];
      try {
        await options.processes.run('cosign', args, { env, signal });
      } catch (error) {
        if (!(error instanceof ProcessFailure)) throw error;
        if (/reading key|decrypt|getting signer/i.test(error.stderr)) {
          throw new Fault('token_refused', `${repository}: cosign cannot use the key in SLUICE_COSIGN_KEY`, {
            hint: 'It must be a private key of `cosign generate-key-pair` (a file variable), with its password in COSIGN_PASSWORD.',
          });
        }
        throw orasFault(repository, error, 'signing');
      }
    },
  };
}
