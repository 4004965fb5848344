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

/** All templates by name. */
export async function readTemplates(): Promise<readonly Template[]> {
  const files = (await readdir(templatesFolder)).filter((file) => file.endsWith('.yml')).toSorted();
  return Promise.all(
    files.map(async (file) => {
      const text = await readFile(join(templatesFolder, file), 'utf8');
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

/** The jobs that a template holds itself. */
export function jobsOf(template: Template): readonly (readonly [string, Job])[] {
  return Object.entries(template.body).filter(([name]) => name !== 'include') as [string, Job][];
}

/** Names of the inputs that stand in a text. */
export function inputsIn(text: string): readonly string[] {
  return [...text.matchAll(/\$\[\[\s*inputs\.([a-z_]+)\s*\]\]/g)].map((match) => match[1]!);
}
