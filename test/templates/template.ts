import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseAllDocuments } from 'yaml';

export const templatesFolder = join(import.meta.dirname, '..', '..', 'templates');

/** One input of a component's header. */
export interface Input {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly options?: readonly unknown[];
  readonly regex?: string;
}

/** A template: its header's inputs, and the document below, as written. */
export interface Template {
  readonly name: string;
  readonly spec: Readonly<Record<string, unknown>>;
  readonly inputs: Readonly<Record<string, Input>>;
  readonly body: Readonly<Record<string, unknown>>;
  /** Text of the document below the header. */
  readonly text: string;
}

/** A job as written in a template. */
export type Job = Readonly<Record<string, unknown>> & {
  readonly variables: Readonly<Record<string, string>>;
  readonly script: readonly string[];
};

/** All templates by name; with a folder below, its files. */
export async function readTemplates(below = ''): Promise<readonly Template[]> {
  const folder = join(templatesFolder, below);
  const files = (await readdir(folder)).filter((file) => file.endsWith('.yml')).toSorted();
  return Promise.all(
    files.map(async (file) => {
      const text = await readFile(join(folder, file), 'utf8');
      const documents = parseAllDocuments(text);
      if (documents.length !== 2) throw new Error(`${file} should hold a header and one document`);
      const [header, body] = documents.map((document) => document.toJS() as Record<string, unknown>);
      const spec = header!['spec'] as Record<string, unknown>;
      return {
        name: basename(file, '.yml'),
        spec,
        inputs: spec['inputs'] as Record<string, Input>,
        body: body!,
        text: text.slice(text.indexOf('\n---\n')),
      };
    }),
  );
}

/** A file that a template includes where a condition holds. */
export interface Part {
  readonly local: string;
  readonly rules: readonly { readonly if: string }[];
  readonly inputs: Readonly<Record<string, unknown>>;
}

/** The parts that a template includes: files below parts/. */
export function partsOf(template: Template): readonly Part[] {
  const includes = (template.body['include'] ?? []) as readonly Part[];
  return includes.filter(({ local }) => local.startsWith('/templates/parts/'));
}

/** The jobs that a template holds itself, without the hidden ones. */
export function jobsOf(template: Template): readonly (readonly [string, Job])[] {
  return Object.entries(template.body).filter(([name]) => name !== 'include' && !name.startsWith('.')) as [
    string,
    Job,
  ][];
}

/** Names of the inputs that stand in a text. */
export function inputsIn(text: string): readonly string[] {
  return [...text.matchAll(/\$\[\[\s*inputs\.([a-z_]+)\s*\]\]/g)].map((match) => match[1]!);
}
