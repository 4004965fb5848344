import { expand } from './ci-variables.ts';
import type { Values } from './ci-variables.ts';
import { findComponent, mayReadCode } from './ci-component.ts';
import type { Component } from './ci-component.ts';
import { holds } from './ci-expression.ts';
import { declaredInputs, headerFaults, resolveInputs } from './ci-inputs.ts';
import type { Inputs } from './ci-inputs.ts';
import { interpolate } from './ci-interpolation.ts';
import { ConfigError, isMap, mergeConfigs, readDocuments } from './ci-yaml.ts';
import type { Config } from './ci-yaml.ts';
import { fileAt, git, resolveCommit } from './repositories.ts';
import type { Project, State, User } from './state.ts';

/** Includes, inputs and interpolation: lib/gitlab/ci/config/external of GitLab. */

/** Where a file's own includes are looked for, and for whom. */
export interface Compilation {
  readonly project: Project;
  readonly sha: string;
  readonly user: User;
  /** Variables that includes may use. */
  readonly values: Values;
  readonly masked: ReadonlySet<string>;
  /** Is there only a job token to read with? Then no other project can be read. */
  readonly aloneWithToken?: boolean;
  /** File of an artifact of a job before, for `trigger: include: artifact`. */
  readonly artifact?: (job: string, path: string) => Promise<string | null>;
}

interface Budget {
  left: number;
}

const maxIncludes = 150;

/** A file with all that it includes merged, inputs put in, and no `include`. Faults: `ConfigError`. */
export async function compile(
  state: State,
  compilation: Compilation,
  file: { readonly location: string; readonly text: string; readonly inputs: Inputs },
): Promise<Config> {
  return load(state, compilation, { ...file, component: null }, { left: maxIncludes });
}

/** Several files as one, as `trigger: include:` takes them. Faults: `ConfigError`. */
export async function compileIncludes(state: State, compilation: Compilation, include: unknown): Promise<Config> {
  return withIncludes(state, compilation, { include }, { left: maxIncludes });
}

interface File {
  readonly location: string;
  readonly text: string;
  readonly inputs: Inputs;
  readonly component: Component | null;
}

async function load(state: State, compilation: Compilation, file: File, budget: Budget): Promise<Config> {
  let content: Config;
  try {
    content = interpolated(state, compilation, file);
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(`\`${file.location}\`: ${error.message}`);
    throw error;
  }
  return withIncludes(state, compilation, content, budget);
}

function interpolated(state: State, compilation: Compilation, file: File): Config {
  const { header, content } = readDocuments(file.text);
  const { profile } = state;
  if (!header) {
    if (Object.keys(file.inputs).length > 0)
      throw new ConfigError('Given inputs not defined in the `spec` section of the included configuration file');
    return content;
  }
  const wrong = headerFaults(header, profile);
  if (wrong.length > 0) throw new ConfigError(wrong.slice(0, 3).join(', '));
  const { values, faults } = resolveInputs(declaredInputs(header), file.inputs, profile);
  if (faults.length > 0) throw new ConfigError(faults.slice(0, 3).join(', '));
  const { variables, masked } = { variables: compilation.values, masked: compilation.masked };
  const component = file.component && componentContext(header, file.component);
  return interpolate(content, { inputs: values, ...(component ? { component } : {}), variables, masked, profile });
}

function componentContext(header: Config, component: Component): Config {
  const spec = header['spec'];
  const wanted = isMap(spec) && Array.isArray(spec['component']) ? spec['component'].map(String) : [];
  const known: Config = {
    name: component.name,
    sha: component.sha,
    version: component.version,
    reference: component.reference,
  };
  return Object.fromEntries(Object.entries(known).filter(([key]) => wanted.includes(key)));
}

async function withIncludes(state: State, compilation: Compilation, content: Config, budget: Budget): Promise<Config> {
  const { include, ...own } = content;
  let merged: Config = {};
  for (const entry of entriesOf(include)) {
    if (!applies(entry, compilation.values)) continue;
    for (const each of await filesOf(state, compilation, entry)) {
      budget.left -= 1;
      if (budget.left < 0) throw new ConfigError(`Maximum of ${maxIncludes} nested includes are allowed!`);
      const inputs = entry['inputs'] ?? {};
      if (!isMap(inputs)) throw new ConfigError(`\`${each.location}\`: Given inputs must be a hash`);
      const place = { ...compilation, project: each.project, sha: each.sha };
      const file = { location: each.location, text: each.text, inputs, component: each.component };
      merged = mergeConfigs(merged, await load(state, place, file, budget));
    }
  }
  return mergeConfigs(merged, own);
}

function entriesOf(include: unknown): readonly Config[] {
  if (include === undefined || include === null) return [];
  return [include].flat().map((entry: unknown) => {
    if (typeof entry === 'string') return /^https?:/.test(entry) ? { remote: entry } : { local: entry };
    if (isMap(entry)) return entry;
    throw new ConfigError(`Include \`${JSON.stringify(entry)}\` needs to match exactly one accessor!`);
  });
}

function applies(entry: Config, variables: Values): boolean {
  const { rules } = entry;
  if (!Array.isArray(rules)) return true;
  for (const rule of rules as readonly Config[]) {
    const statement = rule['if'];
    if (typeof statement !== 'string') return rule['when'] !== 'never';
    try {
      if (holds(statement, variables)) return rule['when'] !== 'never';
    } catch {
      throw new ConfigError('include:rules:if invalid expression syntax');
    }
  }
  return false;
}

interface Found {
  readonly location: string;
  readonly text: string;
  readonly project: Project;
  readonly sha: string;
  readonly component: Component | null;
}

async function filesOf(state: State, compilation: Compilation, entry: Config): Promise<readonly Found[]> {
  const { project, sha, user, values } = compilation;
  const text = (key: string) => {
    const value = entry[key];
    return typeof value === 'string' ? expand(value, values) : undefined;
  };
  const kinds = ['local', 'file', 'remote', 'template', 'component', 'artifact'].filter((key) => key in entry);
  if (kinds.length !== 1)
    throw new ConfigError(
      kinds.length === 0
        ? `\`${JSON.stringify(entry)}\` does not have a valid subkey for include. Valid subkeys are: \`local\`, \`file\`, \`remote\`, \`template\`, \`component\`, \`artifact\``
        : 'Each include must use only one of: local, file, remote, template, component, artifact',
    );
  const local = text('local');
  if (local !== undefined) return localFiles(state, project, sha, local.replace(/^\/+/, ''));
  const component = text('component');
  if (component !== undefined) {
    const found = await findComponent(state, component, user, compilation.aloneWithToken);
    return [{ ...found, location: component, component: found }];
  }
  if ('file' in entry) return projectFiles(state, compilation, entry);
  const artifact = text('artifact');
  if (artifact !== undefined) {
    const job = text('job') ?? '';
    const content = compilation.artifact ? await compilation.artifact(job, artifact) : null;
    if (content === null)
      throw new ConfigError(`File \`${artifact}\` is not found or empty in artifacts of job \`${job}\``);
    return [{ location: artifact, text: content, project, sha, component: null }];
  }
  const other = text('remote') ?? text('template') ?? '';
  if ('remote' in entry)
    throw new ConfigError(`Remote file \`${other}\` could not be fetched because of a socket error!`);
  throw new ConfigError(`Included file \`${other}\` is empty or does not exist!`);
}

async function localFiles(state: State, project: Project, sha: string, path: string): Promise<readonly Found[]> {
  if (!/\.ya?ml$/i.test(path)) throw new ConfigError(`Included file \`${path}\` does not have YAML extension!`);
  let paths: readonly string[] = [path];
  if (path.includes('*')) {
    const names = (await git(state, project.repository, ['ls-tree', '-r', '--name-only', '-z', sha])).split('\0');
    const glob = path
      .split('**')
      .map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll('*', '[^/]*'))
      .join('.*');
    paths = names.filter((name) => new RegExp(`^${glob}$`).test(name));
    if (paths.length === 0) throw new ConfigError(`Local file \`${path}\` does not exist!`);
  }
  return Promise.all(
    paths.map(async (name) => {
      const text = (await fileAt(state, project, sha, name))?.toString('utf8');
      if (text === undefined) throw new ConfigError(`Local file \`${name}\` does not exist!`);
      if (text.trim() === '') throw new ConfigError(`Local file \`${name}\` is empty!`);
      return { location: name, text, project, sha, component: null };
    }),
  );
}

async function projectFiles(state: State, compilation: Compilation, entry: Config): Promise<readonly Found[]> {
  const { user, values, aloneWithToken } = compilation;
  const path = expand(String(entry['project']), values);
  const ref = expand(typeof entry['ref'] === 'string' ? entry['ref'] : 'HEAD', values);
  const project = state.projects.get(path.toLowerCase());
  if (!project || (aloneWithToken && project !== compilation.project) || !mayReadCode(state, user, project))
    throw new ConfigError(
      `Project \`${path}\` not found or access denied! Make sure any includes in the pipeline configuration are correctly defined.`,
    );
  const sha = await resolveCommit(state, project, ref);
  if (!sha) throw new ConfigError(`Project \`${path}\` reference \`${ref}\` does not exist!`);
  return Promise.all(
    [entry['file']].flat().map(async (file: unknown) => {
      const name = expand(String(file), values).replace(/^\/+/, '');
      const text = (await fileAt(state, project, sha, name))?.toString('utf8');
      if (text === undefined) throw new ConfigError(`Project \`${path}\` file \`${name}\` does not exist!`);
      return { location: name, text, project, sha, component: null };
    }),
  );
}
