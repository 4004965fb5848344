import { existsSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import type { StoredArtifact } from '../flux/artifacts.ts';
import { walk } from '../flux/artifacts.ts';
import { unpack } from '../flux/unpack.ts';
import type { World } from '../flux/world.ts';
import type { ClusterObject } from '../handle.ts';
import { type Fields, fields, isFields, list, text } from '../store/object.ts';
import { isTrue } from './functions.ts';
import { renderChart } from './render.ts';

/** A chart in memory. Paths are relative to the chart. */
export interface Chart {
  readonly name: string;
  readonly version: string;
  readonly appVersion: string;
  readonly metadata: Fields;
  readonly values: Fields;
  readonly templates: Readonly<Record<string, string>>;
  readonly definitions: readonly string[];
  readonly charts: readonly Chart[];
}

/** A release that is being made. */
export interface Release {
  readonly name: string;
  readonly namespace: string;
  readonly revision: number;
  readonly isInstall: boolean;
}

/** Values over values: maps are merged, null deletes, everything else is replaced. */
export function mergeValues(below: unknown, above: unknown): Fields {
  const merged: Fields = { ...fields(below) };
  for (const [key, value] of Object.entries(fields(above))) {
    if (value === null) delete merged[key];
    else merged[key] = isFields(value) && isFields(merged[key]) ? mergeValues(merged[key], value) : value;
  }
  return merged;
}

/** Reads a chart's folder. Rejects when there is no Chart.yaml. */
export async function readChart(folder: string): Promise<Chart> {
  const file = join(folder, 'Chart.yaml');
  if (!existsSync(file)) throw new Error('Chart.yaml file is missing');
  const metadata = fields(parse(await readFile(file, 'utf8')));
  const valuesFile = join(folder, 'values.yaml');
  const values = existsSync(valuesFile) ? fields(parse(await readFile(valuesFile, 'utf8'))) : {};
  const read = async (below: string) => {
    if (!existsSync(join(folder, below))) return [];
    const paths = (await walk(join(folder, below))).filter((path) => /\.(ya?ml|tpl|txt)$/.test(path));
    return Promise.all(
      paths.map(async (path) => [`${below}/${path}`, await readFile(join(folder, below, path), 'utf8')] as const),
    );
  };
  const chartsFolder = join(folder, 'charts');
  const names = existsSync(chartsFolder)
    ? (await readdir(chartsFolder)).filter((name) => existsSync(join(chartsFolder, name, 'Chart.yaml')))
    : [];
  return {
    name: text(metadata['name']),
    version: text(metadata['version']),
    appVersion: text(metadata['appVersion']),
    metadata,
    values,
    templates: Object.fromEntries(await read('templates')),
    definitions: (await read('crds')).map(([, content]) => content),
    charts: await Promise.all(names.sort().map((name) => readChart(join(chartsFolder, name)))),
  };
}

/** Opens the chart of an artifact: a packed chart (one file), or a folder that is a chart or holds one. */
export async function openChart(world: World, artifact: StoredArtifact): Promise<Chart> {
  let { folder } = artifact;
  const temporary = artifact.file === null ? null : await world.makeFolder('chart');
  try {
    if (temporary !== null && artifact.file !== null) {
      await unpack(await readFile(join(artifact.folder, artifact.file)), temporary);
      folder = temporary;
    }
    if (!existsSync(join(folder, 'Chart.yaml'))) {
      const inside = (await readdir(folder)).find((name) => existsSync(join(folder, name, 'Chart.yaml')));
      if (inside !== undefined) folder = join(folder, inside);
    }
    return await readChart(folder);
  } finally {
    if (temporary !== null) await rm(temporary, { recursive: true, force: true, maxRetries: 5 });
  }
}

function isWanted(parent: Chart, child: Chart, values: Fields): boolean {
  const dependency = list(parent.metadata['dependencies']).find((one) =>
    [fields(one)['name'], fields(one)['alias']].includes(child.name),
  );
  const condition = text(fields(dependency)['condition']);
  if (condition === '') return true;
  const value = condition.split('.').reduce<unknown>((here, key) => fields(here)[key], values);
  return value === undefined || isTrue(value);
}

/** Objects of a chart with the user's values; hooks are left out, as this cluster runs none. Throws `TemplateError`. */
export function renderObjects(
  chart: Chart,
  userValues: Fields,
  release: Release,
  version: string,
): readonly ClusterObject[] {
  const values = mergeValues(chart.values, userValues);
  const context = {
    Values: values,
    Chart: Object.fromEntries(
      Object.entries(chart.metadata).map(([key, value]) => [`${key[0]?.toUpperCase()}${key.slice(1)}`, value]),
    ),
    Release: {
      Name: release.name,
      Namespace: release.namespace,
      Revision: release.revision,
      IsInstall: release.isInstall,
      IsUpgrade: !release.isInstall,
      Service: 'Helm',
    },
    Capabilities: {
      KubeVersion: { Version: version, Major: '1', Minor: version.split('.')[1] ?? '' },
      APIVersions: {},
    },
  };
  const rendered = [...renderChart(chart.name, chart.templates, context).values()];
  const own: readonly ClusterObject[] = [...chart.definitions, ...rendered].flatMap((source) =>
    parseAllDocuments(source).flatMap((document) => {
      const object = document.toJS() as ClusterObject | null;
      return object?.kind ? [object] : [];
    }),
  );
  const below = chart.charts
    .filter((child) => isWanted(chart, child, values))
    .flatMap((child) =>
      renderObjects(child, mergeValues({ global: values['global'] ?? {} }, values[child.name]), release, version),
    );
  return [...own, ...below].filter((object) => object.metadata.annotations?.['helm.sh/hook'] === undefined);
}
