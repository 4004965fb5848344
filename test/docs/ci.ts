import { parseAllDocuments, stringify } from 'yaml';
import type { LocalProject } from '../templates/local.ts';
import type { Template } from '../templates/template.ts';

type Yaml = Readonly<Record<string, unknown>>;
interface Include {
  readonly component?: string;
  readonly inputs?: Yaml;
}

const ours = /^\$CI_SERVER_FQDN\/(?:[\w-]+\/)+([a-z]+)@([\w.]+)$/;

/**
 * What is wrong with a `.gitlab-ci.yml`: components that are not ours or of another version, unknown, missing or wrong
 * inputs, and what gitlab-ci-local (its schema above all) says of the file with our templates in their place.
 */
export async function ciFaults(
  text: string,
  templates: readonly Template[],
  version: string,
  project: LocalProject,
): Promise<readonly string[]> {
  const documents = parseAllDocuments(text);
  const errors = documents.flatMap((document) => document.errors.map((error) => error.message));
  if (errors.length > 0) return errors;
  const [first, second] = documents.map((document) => document.toJS() as Yaml);
  // gitlab-ci-local takes inputs for included files only: those of the pipeline get their defaults here.
  const body = second === undefined ? first! : withDefaults(second, first!);
  const includes = [body['include'] ?? []].flat() as Include[];
  const faults = includes.flatMap((include) => includeFaults(include, templates, version));
  if (faults.length > 0) return faults;
  const local = includes.map((include) => ({
    local: `/templates/${ours.exec(include.component!)![1]}.yml`,
    ...(include.inputs ? { inputs: include.inputs } : {}),
  }));
  const clashes = clashesIn(includes, templates);
  if (clashes.length > 0 || isPlain(body, includes)) return clashes;
  try {
    await project.list(stringify({ ...body, ...(local.length > 0 ? { include: local } : {}) }));
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

/** Nothing but includes whose inputs are simple values: the templates' own tests run those through gitlab-ci-local. */
function isPlain(body: Yaml, includes: readonly Include[]): boolean {
  const inputs = includes.flatMap((include) => Object.values(include.inputs ?? {}));
  return Object.keys(body).join() === 'include' && inputs.every((value) => typeof value !== 'object');
}

/** Of two jobs with one name the last wins: what tells two includes of one component apart is in the job's name. */
function clashesIn(includes: readonly Include[], templates: readonly Template[]): readonly string[] {
  const names = includes.map((include) => {
    const name = ours.exec(include.component!)![1]!;
    const declared = templates.find((each) => each.name === name)!.inputs;
    const value = (input: string) => String(include.inputs?.[input] ?? declared[input]?.default);
    return 'job_name' in declared ? value('job_name') : `${value('job_prefix')} ${name} ${value('environment')}`;
  });
  const twice = names.filter((name, at) => names.indexOf(name) !== at);
  return twice.map((name) => `two includes make the job ${name}`);
}

function includeFaults(include: Include, templates: readonly Template[], version: string): readonly string[] {
  const [, name, at] = ours.exec(include.component ?? '') ?? [];
  if (name === undefined) return [`${JSON.stringify(include)} includes no component of ours`];
  const template = templates.find((each) => each.name === name);
  if (!template) return [`there is no component ${name}`];
  const given = include.inputs ?? {};
  return [
    ...(at === version ? [] : [`${name}: the version is ${version}, not ${at}`]),
    ...Object.keys(given)
      .filter((input) => !(input in template.inputs))
      .map((input) => `${name}: unknown input ${input}`),
    ...Object.entries(template.inputs).flatMap(([input, { type = 'string', default: fallback, options, regex }]) => {
      const value = given[input];
      if (value === undefined) return fallback === undefined ? [`${name}: ${input} is missing`] : [];
      if ((Array.isArray(value) ? 'array' : typeof value) !== type) return [`${name}: ${input} is no ${type}`];
      if (options && !options.includes(value)) return [`${name}: ${input} cannot be ${JSON.stringify(value)}`];
      return regex === undefined || (typeof value === 'string' && new RegExp(regex).test(value))
        ? []
        : [`${name}: ${input} is not like ${regex}`];
    }),
  ];
}

function withDefaults(body: Yaml, header: Yaml): Yaml {
  const spec = header['spec'] as { inputs?: Readonly<Record<string, { default?: unknown } | null>> } | undefined;
  const inputs = spec?.inputs ?? {};
  const filled = (text: string) =>
    text.replaceAll(/\$\[\[ inputs\.([a-z_]+) \]\]/g, (_use, name: string) => {
      if (!(name in inputs)) throw new Error(`the header declares no input ${name}`);
      const value = inputs[name]?.default;
      return typeof value === 'string' ? value : '';
    });
  const walk = (value: unknown): unknown => {
    if (typeof value === 'string') return filled(value);
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [filled(key), walk(inner)]));
  };
  return walk(body) as Yaml;
}
