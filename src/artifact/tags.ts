import type { Pair } from '../config/config.ts';
import { Fault } from '../fault.ts';
import { shortCommit } from '../revision.ts';
import type { Item } from './evaluate.ts';

/** The tag of one commit's artifact, which never moves. */
export function immutableTag(environment: string, commit: string): string {
  return `${environment}-${shortCommit(commit)}`;
}

/** The environment and the commit's first 12 digits that an immutable tag names; null: it is no such tag. */
export function readImmutableTag(tag: string): { readonly environment: string; readonly commit: string } | null {
  const [, environment = '', commit = ''] = /^(.+)-([0-9a-f]{12})$/.exec(tag) ?? [];
  return commit === '' ? null : { environment, commit };
}

/** The digest that a signature's tag names (cosign: `sha256-<hex>.sig`); null: it is no signature. */
export function signedDigest(tag: string): string | null {
  const hex = /^sha256-([0-9a-f]{64})(?:\.(?:sig|att|sbom))?$/.exec(tag)?.[1];
  return hex === undefined ? null : `sha256:${hex}`;
}

/** What further tags are filled with. */
export interface TagPlace {
  /** Delivery commit, 40 hex digits. */
  readonly sha: string;
  readonly branch: string;
}

/** Fills the template of a further tag: {environment}, {app}, {artifact}, {commit} (12 digits), {branch}. Fault `usage`. */
export function furtherTag(template: string, { pair, artifact }: Item, { sha, branch }: TagPlace): string {
  const values: Readonly<Record<string, string>> = {
    environment: pair.environment.name,
    app: pair.app.name,
    artifact: artifact.name,
    commit: shortCommit(sha),
    branch: branch.replaceAll(/[^\w.-]/g, '-'),
  };
  const tag = template.replaceAll(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
  if (/^\w[\w.-]{0,127}$/.test(tag)) return tag;
  throw new Fault('usage', `--tag ${template} gives ${tag}, which is no tag`, {
    hint: `Placeholders are ${Object.keys(values)
      .map((name) => `{${name}}`)
      .join(', ')}; a tag is up to 128 of [A-Za-z0-9_.-].`,
  });
}

/**
 * Refuses tags that two would write: a moving tag that another artifact or environment has in the same repository, the
 * ledgers' repository (Fault `config_invalid`), and further tags that take another's moving tag, one of the tags that
 * never move, or the ledger's name (Fault `usage`). `pairs`: all of sluice.yaml, not only what is published now.
 */
export function checkTags(options: {
  readonly items: readonly Item[];
  readonly pairs: readonly Pair[];
  /** `host/path`; null: no ledger is kept. */
  readonly ledgerRepository: string | null;
  readonly templates: readonly string[];
  readonly place: TagPlace;
}): void {
  const { items, pairs, ledgerRepository, templates, place } = options;
  const owners = pairs
    .filter(({ source }) => source === 'oci')
    .flatMap((pair) => pair.artifacts.map((artifact) => ({ pair, artifact })));
  const nameOf = ({ pair, artifact }: Item) => `${pair.environment.name}/${artifact.name}`;
  for (const item of items.filter(({ pair }) => pair.source === 'oci')) {
    const { repository } = item.artifact;
    const own = { environment: item.pair.environment.name, tag: item.pair.tag };
    if (repository === ledgerRepository) {
      throw new Fault('config_invalid', `${nameOf(item)}: ${repository} is the ledgers’ own repository`, {
        hint: 'Give `repository` another name.',
      });
    }
    const others = owners.filter((one) => one.artifact.repository === repository && nameOf(one) !== nameOf(item));
    const twin = others.find(({ pair, artifact }) => pair.tag === own.tag && !isSameContent(item, { pair, artifact }));
    if (twin) {
      throw new Fault('config_invalid', `${nameOf(item)} and ${nameOf(twin)} both move ${repository}:${own.tag}`, {
        hint: 'Give each its own `tag` (with {environment}) or its own `repository` (with {artifact}).',
      });
    }
    const environments = new Set([own.environment, ...others.map(({ pair }) => pair.environment.name)]);
    const fixed = readImmutableTag(own.tag);
    if (fixed && environments.has(fixed.environment)) {
      throw new Fault('config_invalid', `${nameOf(item)}: the tag ${own.tag} looks like one that never moves`, {
        hint: `Tags of the form <environment>-<12 hex digits> name delivery commits: choose another \`tag\`.`,
      });
    }
    for (const template of templates) {
      const tag = furtherTag(template, item, place);
      if (tag === own.tag) continue;
      const taken = others.find(({ pair }) => pair.tag === tag);
      const never = readImmutableTag(tag);
      const why = taken
        ? `which is the moving tag of ${nameOf(taken)}`
        : tag === 'ledger'
          ? 'which is reserved'
          : never && environments.has(never.environment) && tag !== immutableTag(own.environment, place.sha)
            ? `which belongs to a delivery commit of ${never.environment}`
            : null;
      if (why === null) continue;
      throw new Fault('usage', `--tag ${template} gives ${repository}:${tag} to ${nameOf(item)}, ${why}`, {
        hint: 'Choose another tag, e.g. {environment}-latest; a version reaches another environment by a commit there.',
      });
    }
  }
}

/** Environments may share a moving tag where both build the same folders. */
function isSameContent(a: Item, b: Item): boolean {
  return a.artifact.name === b.artifact.name && a.artifact.roots.join('\n') === b.artifact.roots.join('\n');
}
