import { fitOf, referenceOf, type SourceAddress } from '../notify/source-address.ts';
import { commitOfRevision, digestOfRevision } from '../revision.ts';
import type { KubernetesObject } from '../systems/cluster.ts';
import { fieldsOf, textOf } from './fields.ts';
import {
  conditionOf,
  judged,
  judgeStanding,
  readFluxObject,
  type Condition,
  type FluxObject,
  type Judgement,
} from './readiness.ts';

/** An OCIRepository or GitRepository (any source with an artifact). */
export interface SourceObject extends FluxObject {
  readonly raw: KubernetesObject;
  /** What its artifact is: "sha256:…" for OCI, the commit for git, else the whole revision; undefined without artifact. */
  readonly target: string | undefined;
  readonly revision: string | undefined;
  /** Commit of the artifact: git's own, or the one in the OCI annotation `org.opencontainers.image.revision`. */
  readonly commit: string | undefined;
  /** When the artifact was stored (RFC 3339, UTC, by the cluster's clock). */
  readonly storedAt: string | undefined;
  readonly fetchFailed: Condition | undefined;
  readonly verified: Condition | undefined;
}

/** Reads a source. `status.artifact.digest` is the tarball's digest and never compared with the OCI digest. */
export function readSource(object: KubernetesObject): SourceObject {
  const artifact = fieldsOf(fieldsOf(object.status)['artifact']);
  const revision = textOf(artifact['revision']);
  const origin = textOf(fieldsOf(artifact['metadata'])['org.opencontainers.image.revision']);
  const git = revision === undefined ? undefined : commitOfRevision(revision);
  return {
    ...readFluxObject(object),
    raw: slimSource(object),
    revision,
    target: revision === undefined ? undefined : targetOf(revision),
    commit: git ?? (origin === undefined ? undefined : commitOfRevision(origin)),
    storedAt: textOf(artifact['lastUpdateTime']),
    fetchFailed: conditionOf(object, 'FetchFailed'),
    verified: conditionOf(object, 'SourceVerified'),
  };
}

/**
 * What is compared of a revision: the digest after `@` (tag, semver and digest references give other prefixes), the
 * commit of a git revision, else all of it.
 */
export function targetOf(revision: string): string {
  return digestOfRevision(revision) ?? commitOfRevision(revision) ?? revision;
}

/** What keeps an object with our URL from following our reference, for people. */
export function nearMiss(source: SourceObject, address: SourceAddress): string | undefined {
  if (fitOf(source.raw, address) !== 'other-reference') return undefined;
  const reference = referenceOf(source.raw);
  return reference.by === 'other' ? reference.name : `${reference.by} ${reference.name}`;
}

/** Failures that lie in the artifact or the object's own settings, so that trying again gives the same. */
const LASTING = new Set(['URLInvalid', 'OCIArtifactLayerOperationFailed', 'VerificationError', 'AuthenticationFailed']);

/**
 * A source that does not show our revision. Its failure may be older than our push (there was no tag yet) or a registry's
 * bad moment, so it counts only when it stays.
 */
export function judgeFetching(source: SourceObject, what: string): Judgement {
  const standing = judgeStanding(source);
  if (standing) return standing;
  const failure =
    [source.stalled, source.fetchFailed].find((one) => one?.status === 'True' && !one.stale) ??
    [source.verified, source.ready].find((one) => one?.status === 'False' && !one.stale);
  if (failure) {
    return judged(source.ref, 'progressing', failure.reason, failure.message, {
      grace: LASTING.has(failure.reason) ? 'artifact' : 'fetch',
    });
  }
  return judged(source.ref, 'progressing', 'Fetching', `waiting for ${what}`);
}

function slimSource(object: KubernetesObject): KubernetesObject {
  const { url, ref } = fieldsOf(object.spec);
  return {
    kind: object.kind ?? '',
    metadata: { name: object.metadata.name, namespace: object.metadata.namespace ?? '' },
    spec: { url, ref },
  };
}
