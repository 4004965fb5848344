import pMap from 'p-map';
import type { Origin } from '../app/change.ts';
import type { Publication, PublishedArtifact } from '../artifact/published.ts';
import type { Config } from '../config/config.ts';
import { allPairs } from '../config/pair.ts';
import type { CommitClaim } from '../delivery/commit.ts';
import { Fault, faultRecord } from '../fault.ts';
import { commitOfRevision, formatRevision } from '../revision.ts';
import type { CommitInfo, GitRepository } from '../systems/git.ts';
import type { Registry } from '../systems/registry.ts';
import { touches } from './touched.ts';

/** What is asked about. */
export interface StandingRequest {
  readonly config: Config;
  readonly environments: readonly string[];
  readonly apps: readonly string[];
  /** Path of the delivery project. */
  readonly project: string;
  readonly branch: string;
  readonly commit: string;
  /** GitLab's CI_REGISTRY_IMAGE, `host[:port]/path`. */
  readonly registryImage: string | undefined;
}

/**
 * The publication of a commit where publish's own result is not at hand: claims from the trailers of the commit (of a
 * merge: of every commit that it brought; where they are lost, of its merge request), content from what stands under the moving tags. Faults as `GitRepository`
 * and `Registry`; `usage` where the registry is not known.
 */
export async function standingPublication(
  request: StandingRequest,
  repository: GitRepository,
  registry: () => Promise<Registry>,
  parse: (commit: CommitInfo) => CommitClaim | null,
  fromRequests: (sha: string) => Promise<readonly CommitClaim[]>,
): Promise<Publication> {
  const { commit } = request;
  const [parent] = (await repository.commit(commit)).parents;
  const brought = await repository.log(parent ?? null, commit, parent === undefined ? 1 : undefined);
  const trailers = brought.flatMap((one) => parse(one) ?? []);
  const claims = trailers.length > 0 ? trailers : await fromRequests(commit);
  const pairs = allPairs(request.config, request.registryImage).filter(
    (pair) =>
      (request.environments.length === 0 || request.environments.includes(pair.environment.name)) &&
      (request.apps.length === 0 || request.apps.includes(pair.app.name)),
  );
  const artifacts = await pMap(
    pairs.flatMap((pair) => pair.artifacts.map((artifact) => ({ pair, artifact }))),
    async ({ pair, artifact }): Promise<readonly PublishedArtifact[]> => {
      const own = claims.filter(
        (claim) => claim.apps.includes(pair.app.name) && claim.environments.includes(pair.environment.name),
      );
      const origins = own.flatMap((claim): readonly Origin[] => (claim.origin === null ? [] : [claim.origin]));
      const base = {
        app: pair.app.name,
        artifact: artifact.name,
        environment: pair.environment.name,
        contentDigest: null,
        revision: formatRevision(request.branch, commit),
        source: pair.source,
        origins,
      };
      const claimed = own.length > 0;
      if (pair.source === 'git') {
        // Roots may lie beside the path; without one of its own an environment's folder is below it.
        const changed =
          claimed || (await touches(repository, commit, artifact.roots.length > 0 ? artifact.roots : [artifact.path]));
        const outcome = changed ? 'pushed' : 'unchanged';
        return [{ ...base, repository: '', tags: [], digest: null, outcome, reason: 'Flux reads the repository' }];
      }
      if (artifact.repository.includes('{registry}'))
        throw new Fault('usage', `the registry of ${artifact.name} is not known`, {
          hint: 'Give --registry HOST/PATH (in a GitLab job: CI_REGISTRY_IMAGE), or --published FILE.',
        });
      const place = { ...base, repository: artifact.repository, tags: [pair.tag] };
      const manifest = await (await registry()).manifest(artifact.repository, pair.tag);
      if (manifest === null) {
        if (!claimed) return [];
        const fault = new Fault('image_missing', `nothing is published as ${artifact.repository}:${pair.tag}`, {
          hint: 'Run `sluice publish` first.',
        });
        const reason = 'nothing is published';
        return [{ ...place, digest: null, outcome: 'failed', reason, fault: faultRecord(fault) }];
      }
      const revision = manifest.annotations['org.opencontainers.image.revision'] ?? '';
      const stands = commitOfRevision(revision);
      const { digest } = manifest;
      if (stands === commit) return [{ ...place, revision, digest, outcome: 'pushed', reason: 'published' }];
      if (!claimed) return [{ ...place, revision, digest, outcome: 'unchanged', reason: 'not touched by the commit' }];
      const newer = stands !== undefined && (await isNewer(repository, commit, stands));
      const outcome = newer ? 'superseded' : 'unchanged';
      const reason = newer ? 'a newer commit stands under the tag' : 'the tag holds the same content';
      return [{ ...place, revision, digest, outcome, reason }];
    },
    { concurrency: 6 },
  );
  return {
    project: request.project,
    branch: request.branch,
    commit,
    ranges: [],
    artifacts: artifacts.flat(),
  };
}

async function isNewer(repository: GitRepository, ours: string, theirs: string): Promise<boolean> {
  try {
    return await repository.isAncestor(ours, theirs);
  } catch (error) {
    if (error instanceof Fault && error.code === 'commit_missing') return false;
    throw error;
  }
}
