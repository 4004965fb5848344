import { parseAllDocuments } from 'yaml';

/** An object of a manifest, parsed no further. */
export interface ManifestObject {
  readonly file: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string | null;
  readonly spec: Readonly<Record<string, unknown>>;
}

/** Every Kubernetes object of a repository's YAML files; files that do not parse (templates, encrypted) have none. */
export function objectsIn(files: ReadonlyMap<string, string>): readonly ManifestObject[] {
  return [...files].flatMap(([file, text]) => {
    if (!text.includes('kind:') && !text.includes('"kind"')) return [];
    try {
      return parseAllDocuments(text, { logLevel: 'silent' }).flatMap((document) => {
        if ('empty' in document && document.empty) return [];
        return document.errors.length > 0 ? [] : (read(file, document.toJS({ maxAliasCount: 50 })) ?? []);
      });
    } catch {
      return [];
    }
  });
}

function read(file: string, value: unknown): ManifestObject | null {
  const { apiVersion, kind, metadata, spec } = record(value);
  const { name, namespace } = record(metadata);
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') return null;
  return {
    file,
    apiVersion,
    kind,
    name: typeof name === 'string' ? name : '',
    namespace: typeof namespace === 'string' ? namespace : null,
    spec: record(spec),
  };
}

/** The value as a record; empty where it is none. */
export function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
