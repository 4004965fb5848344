import { shortCommit } from '../revision.ts';
import type { Relation } from './ancestry.ts';
import type { Ledger } from './ledger.ts';
import type { Site } from './sites.ts';
import { immutableTag, readImmutableTag, signedDigest } from './tags.ts';

/** A tag as it stands in a registry. */
export interface FoundTag {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
  /** What the annotations of a manifest that sluice wrote say; null, '' elsewhere. */
  readonly contentDigest: string | null;
  readonly title: string | null;
  readonly commit: string | null;
  /** RFC 3339 in UTC. */
  readonly createdAt: string;
}

/** How many tags that never move are kept, per environment and artifact; null: no bound. */
export interface Keep {
  readonly days: number | null;
  readonly count: number | null;
}

/** What is decided about a tag. */
export interface RetentionItem extends Pick<FoundTag, 'repository' | 'tag' | 'digest' | 'createdAt'> {
  readonly environment: string | null;
  readonly artifact: string | null;
  readonly act: 'remove' | 'keep';
  readonly reason: string;
  /** Would the bounds have removed it, had it not been in use? */
  readonly inUse: boolean;
}

/** What is known for the decision. */
export interface RetentionInput {
  readonly sites: readonly Site[];
  readonly tags: readonly FoundTag[];
  /** By environment. */
  readonly ledgers: ReadonlyMap<string, Ledger>;
  /** How our commit stands to those of the tags. */
  readonly relations: ReadonlyMap<string, Relation>;
  /** Who uses a tag in a cluster, in words; null: nobody that is known. */
  readonly usedBy: (found: FoundTag) => string | null;
  /** Is this environment and app to be pruned now? */
  readonly asked: (environment: string | null, artifact: string | null) => boolean;
  readonly keep: Keep;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

type Decision = Pick<RetentionItem, 'act' | 'reason' | 'environment' | 'artifact'> & { readonly inUse?: boolean };

const DAY_MS = 86_400_000;

/**
 * Which tags may go: those of apps and environments that sluice.yaml no longer has, and tags that never move, older than
 * `keep.days` or beyond the newest `keep.count` of their environment and artifact. Kept in any case: what stands (moving
 * tags, ledgers), the version before it (the way back), what a cluster uses, what a newer commit has published, and what
 * sluice did not write.
 */
export function planRetention(input: RetentionInput): readonly RetentionItem[] {
  const byRepository = Map.groupBy(
    input.tags.filter(({ tag }) => signedDigest(tag) === null),
    ({ repository }) => repository,
  );
  const items = [...byRepository.values()].flatMap((tags) => planRepository(input, tags));
  const keptDigests = new Set(items.filter(({ act }) => act === 'keep').map(keyOf));
  const goneDigests = new Map(items.filter(({ act }) => act === 'remove').map((item) => [keyOf(item), item]));
  const signatures = input.tags.flatMap((found): readonly RetentionItem[] => {
    const digest = signedDigest(found.tag);
    const signed = digest === null ? undefined : goneDigests.get(keyOf({ ...found, digest }));
    if (!signed || keptDigests.has(keyOf(signed))) return [];
    const { environment, artifact } = signed;
    const { repository, tag, createdAt } = found;
    const reason = `signature of ${signed.tag}`;
    return [
      { repository, tag, digest: found.digest, createdAt, environment, artifact, act: 'remove', reason, inUse: false },
    ];
  });
  return [...signatures, ...items];
}

function planRepository(input: RetentionInput, tags: readonly FoundTag[]): readonly RetentionItem[] {
  const repository = tags[0]?.repository ?? '';
  const sites = input.sites.filter((site) => site.repository === repository);
  const groups = new Map<string, FoundTag[]>();
  const decisions = new Map<FoundTag, Decision>();
  for (const found of tags) {
    const site = siteOf(found, sites);
    const fixed = readImmutableTag(found.tag);
    if (site?.live && fixed?.environment === site.environment && found.tag !== site.tag) {
      const key = `${site.environment}\n${site.artifact}`;
      groups.set(key, [...(groups.get(key) ?? []), found]);
    } else decisions.set(found, decideAlone(input, found, site, sites));
  }
  for (const group of groups.values()) {
    const site = siteOf(group[0]!, sites)!;
    const moving = tags.find(({ tag }) => tag === site.tag) ?? null;
    for (const [found, decision] of decideGroup(input, site, moving, group)) decisions.set(found, decision);
  }
  return tags.map((found) => {
    const { repository: of, tag, digest, createdAt } = found;
    const decision = decisions.get(found)!;
    const { environment, artifact } = decision;
    const asked = decision.act === 'keep' || input.asked(environment, artifact);
    const item = { repository: of, tag, digest, createdAt, inUse: false, ...decision };
    return asked ? item : { ...item, act: 'keep', reason: 'not asked for' };
  });
}

/** A tag that stands alone: it moves, its site is gone, or sluice did not write it. */
function decideAlone(input: RetentionInput, found: FoundTag, site: Site | null, sites: readonly Site[]): Decision {
  const gone =
    site ?? (sites.some(({ live }) => live) ? null : (sites.find((one) => one.artifact === found.title) ?? null));
  const whose = { environment: gone?.environment ?? null, artifact: gone?.artifact ?? null };
  if (gone?.live) return { ...whose, act: 'keep', reason: `stands in ${gone.environment}` };
  if (!gone || found.contentDigest === null || found.title !== gone.artifact) {
    return { ...whose, act: 'keep', reason: 'no tag that `sluice publish` answers for' };
  }
  const moved = input.sites.find((one) => one.live && sameArtifact(one, gone));
  if (moved) return { ...whose, act: 'keep', reason: `published at ${moved.repository}:${moved.tag} now`, inUse: true };
  const user = input.usedBy(found);
  if (user !== null) return { ...whose, act: 'keep', reason: `in use by ${user}`, inUse: true };
  const relation = found.commit === null ? 'diverged' : (input.relations.get(found.commit) ?? 'diverged');
  if (relation === 'behind') {
    return {
      ...whose,
      act: 'keep',
      reason: `published by a newer commit: ${shortCommit(found.commit ?? '')}`,
      inUse: true,
    };
  }
  const old = ageOf(input, found);
  if (relation === 'diverged' && !(input.keep.days !== null && old > input.keep.days)) {
    return { ...whose, act: 'keep', reason: 'published from another history', inUse: true };
  }
  const what = sites.some((one) => one.live && one.artifact === gone.artifact)
    ? `environment ${gone.environment}`
    : `artifact ${gone.artifact}${sites.some((one) => one.live) ? ` in ${gone.environment}` : ''}`;
  return { ...whose, act: 'remove', reason: `sluice.yaml has no ${what} any more` };
}

/** The tags that never move of one artifact in one environment. */
function decideGroup(
  input: RetentionInput,
  site: Site,
  moving: FoundTag | null,
  group: readonly FoundTag[],
): ReadonlyMap<FoundTag, Decision> {
  const { environment, artifact } = site;
  const entry = input.ledgers.get(environment)?.artifacts.find((one) => one.app === site.app && one.name === artifact);
  const standing = new Set([moving?.digest, entry?.digest].filter((digest) => typeof digest === 'string'));
  const own = entry ? immutableTag(environment, entry.commit) : null;
  const sorted = group.toSorted((a, b) => compare(b.createdAt, a.createdAt) || compare(b.tag, a.tag));
  const stood = sorted.find(({ digest }) => standing.has(digest)) ?? moving;
  const before = sorted.find((one) => !standing.has(one.digest) && (!stood || one.createdAt <= stood.createdAt));
  return new Map(
    sorted.map((found, index) => {
      const beyond = input.keep.count !== null && index >= input.keep.count;
      const days = ageOf(input, found);
      const late = input.keep.days !== null && days > input.keep.days;
      const user = input.usedBy(found);
      const use =
        standing.has(found.digest) || found.tag === own
          ? `stands in ${environment}`
          : user !== null
            ? `in use by ${user}`
            : found === before
              ? 'the version before the one that stands'
              : found.commit !== null && input.relations.get(found.commit) === 'behind'
                ? 'published by a newer commit'
                : null;
      const reason = late
        ? `${Math.floor(days)} days old, kept are ${input.keep.days}`
        : `beyond the newest ${input.keep.count}`;
      const decision: Decision =
        !beyond && !late
          ? { environment, artifact, act: 'keep', reason: use ?? 'within the bounds' }
          : use === null
            ? { environment, artifact, act: 'remove', reason }
            : { environment, artifact, act: 'keep', reason: use, inUse: true };
      return [found, decision] as const;
    }),
  );
}

/** The site that a tag belongs to; one in sluice.yaml before those that were. */
function siteOf(found: FoundTag, sites: readonly Site[]): Site | null {
  const moving = sites.filter(({ tag }) => tag === found.tag);
  const fixed = readImmutableTag(found.tag);
  const ours = fixed !== null && found.contentDigest !== null && found.commit?.startsWith(fixed.commit) === true;
  const never = ours
    ? sites.filter((one) => one.environment === fixed.environment && one.artifact === found.title)
    : [];
  const candidates = [...moving, ...never];
  return candidates.find(({ live }) => live) ?? candidates[0] ?? null;
}

function sameArtifact(a: Site, b: Site): boolean {
  return a.app === b.app && a.artifact === b.artifact && a.environment === b.environment;
}

/** Days since the tag's commit; 0 where it is not known. */
function ageOf({ now }: RetentionInput, { createdAt }: FoundTag): number {
  const at = Date.parse(createdAt);
  return Number.isNaN(at) ? 0 : (now - at) / DAY_MS;
}

function keyOf({ repository, digest }: Pick<FoundTag, 'repository' | 'digest'>): string {
  return `${repository}@${digest}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
