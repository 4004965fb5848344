import { isMap, isScalar, isSeq, parseDocument, stringify } from 'yaml';

/** Where the component is, and in which version. */
export interface ComponentPlace {
  /** Path of the component project, e.g. `sluice/sluice`. */
  readonly project: string;
  readonly version: string;
}

interface Include {
  readonly component: string;
  readonly inputs: Readonly<Record<string, unknown>>;
}

const HEAD = '# Publishes what changed, then follows it in the cluster. One include per environment.\n';

/** The delivery repository's pipeline where there is none. */
export function deliveryPipeline(environments: readonly string[], place: ComponentPlace): string {
  const include = environments.map((environment) => deliverInclude(environment, place, {}));
  return `${HEAD}${stringify({ include }, { lineWidth: 0 })}`;
}

/**
 * An existing pipeline with what is missing: one include per environment; the stage where `stages` has no `deploy`.
 * null: it is complete already, or its `include` cannot be told (then a person must look).
 */
export function completedPipeline(text: string, environments: readonly string[], place: ComponentPlace): string | null {
  const document = parseDocument(text);
  if (document.errors.length > 0 || !(document.contents === null || isMap(document.contents))) return null;
  const missing = environments.filter((environment) => !includesDeliver(text, environment));
  if (missing.length === 0) return text;
  const stages: unknown = document.toJS({ maxAliasCount: 50 })?.stages;
  const stage = Array.isArray(stages) && !stages.includes('deploy') ? { stage: String(stages.at(-1)) } : {};
  const added = missing.map((environment) => deliverInclude(environment, place, stage));
  const include = document.get('include', true);
  if (include === undefined)
    return `${text.trimEnd()}${text.trim() === '' ? '' : '\n\n'}${written({ include: added })}`;
  if (isSeq(include) && include.flow !== true && include.range) return appended(text, include.range, added);
  if (isSeq(include)) for (const node of added) include.add(document.createNode(node));
  else if (isScalar(include) || isMap(include)) document.set('include', document.createNode([include, ...added]));
  else return null;
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** The text with items after the last one of a block list; the rest stays byte for byte. */
function appended(text: string, range: readonly [number, number, number], items: readonly Include[]): string {
  const column = range[0] - (text.lastIndexOf('\n', range[0] - 1) + 1);
  const lines = written(items)
    .trimEnd()
    .split('\n')
    .map((line) => `${' '.repeat(column)}${line}\n`)
    .join('');
  const end = text.indexOf('\n', range[1] - 1);
  const head = end < 0 ? `${text}\n` : text.slice(0, end + 1);
  return `${head}${lines}${end < 0 ? '' : text.slice(end + 1)}`;
}

function written(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** Does a pipeline include `deliver` (or publish) for an environment? */
function includesDeliver(text: string, environment: string): boolean {
  const includes: unknown = parseDocument(text).toJS({ maxAliasCount: 50 })?.include;
  const all = Array.isArray(includes) ? includes : [includes];
  return all.some((one) => {
    const { component, inputs } = (one ?? {}) as {
      readonly component?: unknown;
      readonly inputs?: { environment?: unknown };
    };
    return (
      typeof component === 'string' && /\/(deliver|publish)@/.test(component) && inputs?.environment === environment
    );
  });
}

function deliverInclude(
  environment: string,
  { project, version }: ComponentPlace,
  more: Readonly<Record<string, unknown>>,
): Include {
  return { component: `$CI_SERVER_FQDN/${project}/deliver@${version}`, inputs: { environment, ...more } };
}

/** What an application project adds to its pipeline. */
export function applicationSnippet(
  app: string,
  delivery: string,
  environment: string,
  { project, version }: ComponentPlace,
): string {
  const include = [
    {
      component: `$CI_SERVER_FQDN/${project}/update@${version}`,
      inputs: { app, delivery, ...(environment === 'staging' ? {} : { environment }) },
    },
  ];
  return `# After the job that pushes $CI_REGISTRY_IMAGE:$CI_COMMIT_SHORT_SHA (input image: for another name).\n${stringify({ include }, { lineWidth: 0 })}`;
}
