import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { StoredArtifact } from '../flux/artifacts.ts';
import { measure } from '../flux/artifacts.ts';
import { findSource } from '../flux/kustomization.ts';
import { newestMatching } from '../flux/semver.ts';
import { type Resolve, type Resolved, SourceFailure } from '../flux/source.ts';
import { openOci } from '../flux/source-oci.ts';
import { kindOf, type World } from '../flux/world.ts';
import type { ClusterObject } from '../handle.ts';
import { at, fields, list, spec, text } from '../store/object.ts';
import { mergeValues, readChart } from './chart.ts';

const chartLayer = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip';

function headers(world: World, repository: ClusterObject): Record<string, string> {
  const name = text(at(repository, 'spec', 'secretRef', 'name'));
  if (name === '') return {};
  const secret = world.store.find(kindOf(world.store, 'Secret'), repository.metadata.namespace ?? '', name);
  if (!secret)
    throw new SourceFailure('AuthenticationFailed', `failed to get authentication secret: secrets "${name}" not found`);
  const value = (key: string) => Buffer.from(text(fields(secret['data'])[key]), 'base64').toString('utf8');
  return { authorization: `Basic ${Buffer.from(`${value('username')}:${value('password')}`).toString('base64')}` };
}

async function download(
  world: World,
  repository: ClusterObject,
  url: string,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const response = await fetch(world.locate(url), { headers: headers(world, repository), signal }).catch(
    (error: unknown) => {
      signal.throwIfAborted();
      throw new SourceFailure('Failed', `failed to fetch ${url}: ${String(error)}`);
    },
  );
  if (!response.ok)
    throw new SourceFailure('Failed', `failed to fetch ${url}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function oneFile(world: World, file: string, content: Uint8Array): Promise<StoredArtifact> {
  const folder = await world.makeFolder('artifact');
  await writeFile(join(folder, file), content);
  return { folder, file, digest: `sha256:${createHash('sha256').update(content).digest('hex')}`, size: content.length };
}

/** Resolves a HelmRepository of type `default`: its index.yaml. */
export const resolveHelmRepository: Resolve = async (world, object, signal) => {
  const url = text(spec(object)['url']).replace(/\/$/, '');
  const index = await download(world, object, `${url}/index.yaml`, signal);
  const revision = `sha256:${createHash('sha256').update(index).digest('hex')}`;
  return {
    revision,
    news: `new index revision '${revision}'`,
    stored: `stored artifact: revision '${revision}'`,
    fetch: () => oneFile(world, `index-${revision.slice(7, 19)}.yaml`, index),
  };
};

function pulled(name: string, version: string, fetch: Resolved['fetch']): Resolved {
  return {
    revision: version,
    news: `pulled '${name}' chart with version '${version}'`,
    stored: `pulled '${name}' chart with version '${version}'`,
    reason: 'ChartPullSucceeded',
    fetch,
  };
}

async function fromRepository(
  world: World,
  chart: ClusterObject,
  repository: ClusterObject,
  signal: AbortSignal,
): Promise<Resolved> {
  const url = text(spec(repository)['url']).replace(/\/$/, '');
  const name = text(spec(chart)['chart']);
  const wanted = text(spec(chart)['version']) || '*';
  const missing = () =>
    new SourceFailure(
      'InvalidChartReference',
      `invalid chart reference: failed to get chart version for remote reference: no '${name}' chart with version matching '${wanted}' found`,
      'BuildFailed',
    );
  if (url.startsWith('oci://')) {
    const oci = openOci(world, repository, `${url}/${name}`, signal);
    const version = newestMatching(await oci.tags(), wanted);
    if (version === null) throw missing();
    return pulled(name, version, async () => {
      const { manifest } = await oci.manifest(version);
      const layer = list(manifest['layers']).find((one) => at(one, 'mediaType') === chartLayer);
      return oneFile(world, `${name}-${version}.tgz`, await oci.blob(text(at(layer, 'digest'))));
    });
  }
  const index = fields(
    parse(Buffer.from(await download(world, repository, `${url}/index.yaml`, signal)).toString('utf8')),
  );
  const entries = list(fields(index['entries'])[name]).map(fields);
  const version = newestMatching(
    entries.map((entry) => text(entry['version'])),
    wanted,
  );
  const file = text(list(entries.find((entry) => entry['version'] === version)?.['urls'])[0]);
  if (version === null || file === '') throw missing();
  return pulled(name, version, async () =>
    oneFile(
      world,
      `${name}-${version}.tgz`,
      await download(world, repository, /^https?:/.test(file) ? file : `${url}/${file}`, signal),
    ),
  );
}

async function fromFolder(world: World, chart: ClusterObject, source: ClusterObject): Promise<Resolved> {
  const artifact = world.artifacts.find(text(at(source, 'status', 'artifact', 'url')));
  if (!artifact)
    throw new SourceFailure(
      'NoSourceArtifact',
      `no artifact available for ${source.kind} source '${source.metadata.name}'`,
    );
  const folder = join(artifact.folder, join('/', text(spec(chart)['chart'])));
  if (!existsSync(join(folder, 'Chart.yaml'))) {
    throw new SourceFailure(
      'InvalidChartReference',
      `invalid chart reference: stat ${folder}: no such file or directory`,
      'BuildFailed',
      true,
    );
  }
  const { name, version } = await readChart(folder);
  const commit = text(at(source, 'status', 'artifact', 'revision'))
    .replace(/^.*:/, '')
    .slice(0, 12);
  const revision = spec(chart)['reconcileStrategy'] === 'Revision' ? `${version}+${commit}` : version;
  const copy = async () => {
    const target = await world.makeFolder('artifact');
    await cp(folder, target, { recursive: true });
    if (revision !== version) {
      const file = join(target, 'Chart.yaml');
      await writeFile(file, stringify({ ...fields(parse(await readFile(file, 'utf8'))), version: revision }));
    }
    const files = list(spec(chart)['valuesFiles']).map((file) => join(artifact.folder, join('/', text(file))));
    if (files.length > 0) {
      const values = await Promise.all(files.map(async (file) => fields(parse(await readFile(file, 'utf8')))));
      await writeFile(join(target, 'values.yaml'), stringify(values.reduce(mergeValues, {})));
    }
    return { folder: target, file: null, ...(await measure(target)) };
  };
  const stored = `packaged '${name}' chart with version '${revision}'`;
  const noted = { observedSourceArtifactRevision: at(source, 'status', 'artifact', 'revision') };
  const observed = { observedChartName: name, observedValuesFiles: spec(chart)['valuesFiles'] };
  return { revision, news: stored, stored, reason: 'ChartPackageSucceeded', observed, noted, fetch: copy };
}

/** Resolves a HelmChart from its HelmRepository, or from the artifact of a GitRepository or Bucket. */
export const resolveHelmChart: Resolve = async (world, object, signal) => {
  const source = findSource(world, object, spec(object)['sourceRef']);
  const { kind, name } = fields(spec(object)['sourceRef']);
  if (!source)
    throw new SourceFailure(
      'SourceUnavailable',
      `failed to get source: ${text(kind)}.source.toolkit.fluxcd.io "${text(name)}" not found`,
    );
  return source.kind === 'HelmRepository'
    ? fromRepository(world, object, source, signal)
    : fromFolder(world, object, source);
};
