import { accessLevel } from './access.ts';
import { ConfigError } from './ci-yaml.ts';
import { fileAt, readRef, resolveCommit } from './repositories.ts';
import type { Release } from './project-parts.ts';
import type { Project, State, User } from './state.ts';

/** `include: component`: app/services/ci/components/fetch_service.rb and lib/gitlab/ci/components of GitLab. */

/** A component that was found. */
export interface Component {
  readonly project: Project;
  readonly sha: string;
  readonly name: string;
  /** What stands behind the `@`. */
  readonly reference: string;
  /** Of a catalog resource, where the reference is a version. */
  readonly version: string | null;
  readonly text: string;
}

/** May the user read the project's code? Bots of a project count as outsiders where a project is internal. */
export function mayReadCode(state: State, user: User, project: Project): boolean {
  if (project.visibility === 'public') return true;
  if (accessLevel(state, user, project) >= 20) return true;
  return project.visibility === 'internal' && !user.bot;
}

/**
 * The component at an address `host/project/name@reference`: a published version by its whole number, `1`, `1.2` or
 * `~latest`, else a tag, branch or commit. `aloneWithToken`: see `Compilation`. Faults: `ConfigError`.
 */
export async function findComponent(
  state: State,
  address: string,
  user: User,
  aloneWithToken = false,
): Promise<Component> {
  const fault = (message: string) => new ConfigError(`Component '${address}' - ${message}`);
  const prefix = `${state.host}/`;
  const at = address.indexOf('@');
  if (at < 0 || !address.startsWith(prefix)) throw fault('the component path is not supported');
  const place = address.slice(prefix.length, at);
  const reference = address.slice(at + 1);
  const cut = place.lastIndexOf('/');
  const project = state.projects.get(place.slice(0, Math.max(0, cut)).toLowerCase());
  if (!project) throw fault('content not found');
  const range = /^\d+(\.\d+)?$/.test(reference);
  if (!project.catalog && reference === '~latest')
    throw fault(
      'The ~latest version reference is not supported for non-catalog resources. Use a tag, branch, or commit SHA instead.',
    );
  const release = latestOf(project, reference, range) ?? project.releases.find((each) => each.tag === reference);
  const sha = release?.sha ?? (await commitAt(state, project, reference));
  if (!sha && !project.catalog && range)
    throw fault(
      'The partial semantic version reference is not supported for non-catalog resources. Use a tag, branch, or commit SHA instead.',
    );
  if (!sha) throw fault('content not found');
  if (aloneWithToken || !mayReadCode(state, user, project))
    throw fault("project does not exist or you don't have sufficient permissions");
  const name = place.slice(cut + 1);
  for (const path of [`templates/${name}.yml`, `templates/${name}/template.yml`]) {
    const text = (await fileAt(state, project, sha, path))?.toString('utf8');
    const version = project.catalog && release ? release.tag.replace(/^v/, '') : null;
    if (text !== undefined) return { project, sha, name, reference, version, text };
  }
  throw fault('content not found');
}

/** A whole commit id, else a tag, else a branch. */
async function commitAt(state: State, project: Project, reference: string): Promise<string | null> {
  const tagged = !/^[0-9a-f]{40}$/.test(reference) && (await readRef(state, project, `refs/tags/${reference}`));
  return resolveCommit(state, project, tagged === false || tagged === null ? reference : `refs/tags/${reference}`);
}

/** Newest published version of a range; pre-releases are never chosen. */
function latestOf(project: Project, reference: string, range: boolean): Release | undefined {
  if (!project.catalog || (!range && reference !== '~latest')) return undefined;
  return project.releases
    .map((release) => ({ release, numbers: /^v?(\d+)\.(\d+)\.(\d+)$/.exec(release.tag)?.slice(1).map(Number) ?? [] }))
    .filter(({ numbers }) => numbers.length === 3)
    .filter(({ numbers }) => !range || reference.split('.').every((part, index) => Number(part) === numbers[index]))
    .toSorted((a, b) => compare(b.numbers, a.numbers))[0]?.release;
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) if (value !== b[index]) return value - (b[index] ?? 0);
  return 0;
}
