import { isNode, isSeq, parseAllDocuments } from 'yaml';
import type { CollectionTag } from 'yaml';

/** A configuration as GitLab holds it between reading and running: plain values and `!reference`s. */
export type Config = Readonly<Record<string, unknown>>;

/** The configuration is refused; the message is what GitLab shows. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

/** `!reference [job, key]`, kept as it is. */
class Reference {
  readonly path: readonly unknown[];
  constructor(path: readonly unknown[]) {
    this.path = path;
  }
}

const reference: CollectionTag = {
  tag: '!reference',
  collection: 'seq',
  resolve: (value) => new Reference(isNode(value) && isSeq(value) ? value.toJSON() : []),
};

/** A mapping that is no `!reference`. */
export function isMap(value: unknown): value is Config {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Reference);
}

/**
 * Header (`spec:`) and content of a file; null where it has no header. Later keys win over equal ones before, as in
 * GitLab's loader. Faults: `ConfigError`.
 */
export function readDocuments(text: string): { readonly header: Config | null; readonly content: Config } {
  const documents = parseAllDocuments(text, { customTags: [reference], merge: true, uniqueKeys: false });
  if (!Array.isArray(documents)) throw new ConfigError('Invalid configuration format');
  const fault = documents.flatMap((each) => each.errors)[0];
  if (fault) throw new ConfigError(`(<unknown>): ${fault.message.split('\n')[0]?.replace(/:$/, '')}`);
  const [first, second, third] = documents.map((each) => each.toJS({ maxAliasCount: 10_000 }) as unknown);
  const header = documents.length > 1 || (isMap(first) && 'spec' in first && Object.keys(first).length === 1);
  if (third !== undefined && third !== null) throw new ConfigError('Too many documents');
  if (header && (first === null || isMap(first))) {
    if (first !== null && !('spec' in first)) throw new ConfigError('Invalid configuration format');
    if (!isMap(second)) throw new ConfigError('Invalid configuration format');
    return { header: first, content: second };
  }
  if (!isMap(first)) throw new ConfigError('Invalid configuration format');
  return { header: null, content: first };
}

/** The configuration as one YAML document. */
export function writeConfig(config: Config): string {
  const references: string[] = [];
  const text = JSON.stringify(
    config,
    (_key, value: unknown) => {
      if (!(value instanceof Reference)) return value;
      references.push(`!reference ${JSON.stringify(value.path)}`);
      return `\u{e000}reference ${references.length - 1}\u{e000}`;
    },
    1,
  );
  return `${text.replaceAll(/"\u{e000}reference (\d+)\u{e000}"/gu, (_, index: string) => references[Number(index)] ?? '')}\n`;
}

/** As GitLab merges included files: mappings key by key, everything else by the later one. */
export function mergeConfigs(first: Config, later: Config): Config {
  const merged: Record<string, unknown> = { ...first };
  for (const [key, value] of Object.entries(later)) {
    const before = merged[key];
    merged[key] = isMap(before) && isMap(value) ? mergeConfigs(before, value) : value;
  }
  return merged;
}
