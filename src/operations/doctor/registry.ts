import type { Fault } from '../../fault.ts';
import type { RegistryAccess } from '../../systems/inspection.ts';
import type { Attempt } from './attempt.ts';
import { judge, type Finding } from './finding.ts';

/** A manifest, as far as its media types go. `RegistryManifest` fits. */
interface StandingManifest {
  readonly mediaType: string;
  readonly config: { readonly mediaType: string } | null;
  readonly layers: readonly { readonly mediaType: string }[];
}

/** What is known of one repository that artifacts go to. */
export interface RegistryFacts {
  readonly repository: string;
  /** Is there a credential for its host? */
  readonly known: boolean;
  readonly access: Attempt<RegistryAccess>;
  /** What stands under the moving tag; null: nothing, 'unread': could not be read. */
  readonly manifest: StandingManifest | null | 'unread';
  /** What came of the trial push: null: none was made. */
  readonly trial: { readonly refused: Fault | null } | null;
  readonly inJob: boolean;
}

const CONFIG = 'application/vnd.cncf.flux.config.v1+json';
const CONTENT = 'application/vnd.cncf.flux.content.v1.tar+gzip';
const GIVE = 'Give CI_REGISTRY_USER and CI_REGISTRY_PASSWORD (or SLUICE_REGISTRY_USER and SLUICE_REGISTRY_PASSWORD).';

/** Judges reach, credential and media types of the registry. */
export function judgeRegistry(facts: RegistryFacts): readonly Finding[] {
  const { repository, known, access, trial, inJob } = facts;
  const { ok, fault, unknown } = judge('registry', repository);
  if ('fault' in access) {
    const { code, message } = access.fault;
    if (code === 'token_refused') {
      if (!known && !inJob) return [unknown('registry-credential', 'no credential for this registry is given', GIVE)];
      return [
        fault(
          'registry-credential',
          'token_refused',
          known ? message : `no credential is set: ${message}`,
          inJob && known ? 'Push to the registry of the job’s own project: a job’s credentials reach no other.' : GIVE,
        ),
      ];
    }
    const repair = /cert|signature|altname/i.test(message)
      ? 'Name the CA that signed its certificate in SSL_CERT_FILE.'
      : 'Check the address (--registry), and that the container registry is on (Settings > General > Visibility).';
    return [fault('registry-unreachable', 'registry_unavailable', message, repair)];
  }
  const { actions, by } = access.answer;
  const findings: Finding[] = [];
  if (actions === null) {
    findings.push(
      unknown(
        'registry-rights',
        `the credential is accepted (by ${by}); whether it may push shows only when it does`,
        'Run doctor --probe, which pushes a small artifact and removes it.',
      ),
    );
  } else if (!actions.includes('push')) {
    const message = `the credential may ${actions.length === 0 ? 'do nothing' : actions.join(', ')} here, and publish must push`;
    findings.push(
      known || inJob
        ? fault(
            'registry-push',
            'token_refused',
            message,
            'Use the job’s own CI_REGISTRY_USER and CI_REGISTRY_PASSWORD, or a deploy token with write_registry and read_registry.',
          )
        : unknown('registry-push', message, GIVE),
    );
  } else findings.push(ok('registry', `the credential may ${actions.join(' and ')}`));
  findings.push(judgeMediaTypes(facts));
  return trial === null || trial.refused !== null ? findings : findings.filter(({ id }) => id !== 'registry-rights');
}

function judgeMediaTypes({ repository, manifest, trial }: RegistryFacts): Finding {
  const { ok, fault, unknown } = judge('registry', repository);
  if (trial !== null) {
    if (trial.refused === null)
      return ok('media-types', 'takes Flux’s media types (a small artifact was pushed and removed)');
    return trial.refused.code === 'registry_refused'
      ? fault(
          'media-types',
          'registry_refused',
          `does not take Flux’s media types: ${trial.refused.message}`,
          `Allow ${CONFIG} and ${CONTENT} in the registry (GitLab: registry['validation'] … media types), or update it.`,
        )
      : fault('media-types', trial.refused.code, `the trial push failed: ${trial.refused.message}`, trial.refused.hint);
  }
  if (manifest === 'unread' || manifest === null) {
    return unknown(
      'media-types',
      'whether it takes Flux’s media types is not known: nothing is published yet',
      'Run doctor --probe, which pushes a small artifact and removes it, or publish once.',
    );
  }
  if (manifest.config?.mediaType === CONFIG && manifest.layers[0]?.mediaType === CONTENT)
    return ok('media-types', 'takes Flux’s media types: an artifact stands there');
  return fault(
    'media-types',
    'registry_refused',
    `what stands under the tag is no Flux artifact (${manifest.config?.mediaType ?? manifest.mediaType})`,
    'Publish anew, or choose another `repository` or `tag` in sluice.yaml: somebody else pushes there.',
  );
}
