import type { Pair } from '../../config/config.ts';
import type { CleanupPolicy } from '../../systems/inspection.ts';
import { judge, type Finding } from './finding.ts';

/**
 * Judges a cleanup policy of the registry's project: which of the tags that Flux follows, the ledger's, and those of
 * former versions it would remove. GitLab matches patterns against the whole name and never removes `latest`
 * (docs.gitlab.com/user/packages/container_registry/reduce_container_registry_storage, "How the cleanup policy works").
 */
export function judgeCleanup(
  project: string,
  policy: CleanupPolicy | null,
  pairs: readonly Pair[],
): readonly Finding[] {
  const { ok, fault, unknown } = judge('cleanup', project);
  if (policy === null)
    return [
      unknown(
        'cleanup-unknown',
        'the cleanup policy of the registry is not shown to this token',
        'Give a token with the role Maintainer.',
      ),
    ];
  if (!policy.enabled || policy.remove === null || policy.remove === '')
    return [ok('cleanup', 'no cleanup policy removes tags')];
  const moving = [...new Set(pairs.flatMap(({ tag, environment }) => [tag, environment.name]))].toSorted();
  const removed = moving.filter((tag) => isRemoved(tag, policy));
  const kept = moving.map((tag) => `${tag}-0123456789ab`).filter((tag) => isRemoved(tag, policy));
  if (removed.length === 0 && kept.length === 0)
    return [ok('cleanup', 'the cleanup policy keeps the tags that are delivered')];
  const keep = keepPattern(moving, policy.keep);
  const repair = `Set “Keep tags matching” of the policy (Settings > Packages and registries) to: ${keep}`;
  const when = `${policy.keepNewest === null ? '' : `beyond the ${policy.keepNewest} newest, `}${policy.olderThan === null ? 'at once' : `when older than ${policy.olderThan}`}`;
  if (removed.length > 0) {
    return [
      fault(
        'cleanup-removes',
        'registry_refused',
        `the cleanup policy removes the tags ${removed.join(', ')} (${when}): Flux and the ledger lose what they follow`,
        repair,
      ),
    ];
  }
  return [
    judge('cleanup', project).warn(
      'cleanup-history',
      `the cleanup policy removes the tags of former versions, e.g. ${kept[0]} (${when}): they cannot be rolled back to`,
      repair,
    ),
  ];
}

function isRemoved(tag: string, { remove, keep }: CleanupPolicy): boolean {
  if (tag === 'latest') return false;
  return matches(remove ?? '', tag) && !(keep !== null && keep !== '' && matches(keep, tag));
}

/** RE2 and JavaScript agree on what people write here; a pattern that this engine does not know counts as one that matches. */
function matches(pattern: string, tag: string): boolean {
  try {
    return new RegExp(`^(?:${pattern.replace(/^\(\?i\)/, '')})$`, pattern.startsWith('(?i)') ? 'i' : '').test(tag);
  } catch {
    return true;
  }
}

function keepPattern(tags: readonly string[], former: string | null): string {
  const own = `(?:${tags.map((tag) => tag.replaceAll('.', String.raw`\.`)).join('|')})(?:-[0-9a-f]{12})?`;
  return former === null || former === '' ? own : `${former}|${own}`;
}
