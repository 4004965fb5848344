import { parse, parseAllDocuments, stringify } from 'yaml';
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
  const own = { ...body, ...(local.length > 0 ? { include: local } : {}) };
  const stages =
    body['stages'] === undefined && JSON.stringify(body).includes('"stage":"scan"')
      ? { stages: ['scan', 'deploy'] }
      : {};
  try {
    await project.list(stringify({ ...stages, ...own }));
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
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
  const text = stringify(body).replaceAll(/\$\[\[ inputs\.([a-z_]+) \]\]/g, (_use, name: string) => {
    if (!(name in inputs)) throw new Error(`the header declares no input ${name}`);
    const value = inputs[name]?.default;
    return typeof value === 'string' && value !== '' ? value : 'x';
  });
  return parse(text) as Yaml;
}
