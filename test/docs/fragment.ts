import { isMap, parseDocument, stringify } from 'yaml';

type Yaml = Readonly<Record<string, unknown>>;

/** What a part of sluice.yaml stands in; the part's own words win. */
const frame = {
  version: 1,
  environments: {
    staging: { clusters: [{ name: 'staging-eu', agent: 'shop/agents:staging-eu' }] },
    production: { clusters: [{ name: 'prod-eu', agent: 'shop/agents:prod-eu' }] },
  },
  apps: { podinfo: { project: 'shop/podinfo' } },
};

/** A sluice.yaml, completed where only a part of it is shown (no `version:`). */
export function completed(text: string): string {
  const document = parseDocument(text);
  if (!isMap(document.contents) || document.has('version')) return text;
  return stringify(merged(frame, document.toJS() as Yaml));
}

function merged(base: Yaml, over: Yaml): Yaml {
  const both = Object.entries(over).map(([key, value]) => {
    const own = base[key];
    const deep = isPlain(own) && isPlain(value);
    return [key, deep ? merged(own, value) : value] as const;
  });
  return { ...base, ...Object.fromEntries(both) };
}

function isPlain(value: unknown): value is Yaml {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
