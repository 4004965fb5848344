import { expect, test } from 'vitest';
import { archive, fluxObjects, one, shown, startWorld, type ClusterWorld } from '../sandbox/cluster-world.ts';
import { annotated, commits, follow, followedIn, namespaceDemo } from './cluster-world.ts';

const layer = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip';

async function pushChart(world: ClusterWorld): Promise<void> {
  const bytes = await archive({
    'tiny/Chart.yaml': 'apiVersion: v2\nname: tiny\nversion: 1.0.0\n',
    'tiny/values.yaml': 'tag: "1"\n',
    'tiny/templates/deployment.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {matchLabels: {app: tiny}}
  template:
    metadata: {labels: {app: tiny}}
    spec:
      containers: [{name: tiny, image: "registry.example.com/tiny:{{ .Values.tag }}"}]
`,
  });
  world.pushLayer('charts/tiny', '1.0.0', bytes, layer);
}

/** The artifact: a chart's source, its release, and the values in a ConfigMap whose name does not change. */
function release(world: ClusterWorld, tag: string, spec = ''): Record<string, string> {
  return {
    'release.yaml': `apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: tiny, namespace: flux-system}
spec:
  interval: 10m
  url: oci://${world.registry.host}/charts/tiny
  insecure: true
  ref: {tag: 1.0.0}
  layerSelector: {mediaType: ${layer}, operation: copy}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: tiny, namespace: flux-system}
spec:
  interval: 10m
  timeout: 20s
  targetNamespace: demo
  releaseName: tiny
  chartRef: {kind: OCIRepository, name: tiny}
  valuesFrom: [{kind: ConfigMap, name: tiny-values}]
${spec}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: tiny-values, namespace: flux-system}
data: {values.yaml: 'tag: "${tag}"'}
`,
  };
}

async function installed() {
  const world = await startWorld({ requeueDependencyMs: 2_000 });
  await pushChart(world);
  await world.push('team/app', 'main', release(world, '1'), annotated(commits[0]));
  world.cluster.apply([namespaceDemo, ...fluxObjects(world.registry.host, 'team/app', 'app', { wait: false })]);
  await world.cluster.until(
    'HelmRelease',
    one('tiny', (object) => shown(object, 'Ready').startsWith('Ready=True')),
  );
  return world;
}

test('values alone change neither generation nor chart: the release is asked, and its upgrade awaited', async () => {
  const world = await installed();
  const wanted = await world.push('team/app', 'main', release(world, '2'), annotated(commits[1]));
  const { verdict } = await follow(world, followedIn(world, wanted, commits[1]));
  expect(verdict.verdict).toBe('synced');
  expect(verdict.objects.map((object) => object.kind)).toEqual(['OCIRepository', 'Kustomization', 'HelmRelease']);
  expect(JSON.stringify(world.cluster.get('Deployment', 'demo', 'tiny'))).toContain('tiny:2');
});

test('an upgrade that fails for good is red, although the rollback left a healthy workload', async () => {
  const world = await installed();
  const spec = '  upgrade: {timeout: 8s, remediation: {retries: 1}}';
  const wanted = await world.push('team/app', 'main', release(world, '2-broken', spec), annotated(commits[1]));
  const { verdict } = await follow(world, followedIn(world, wanted, commits[1]));
  expect(verdict).toMatchObject({
    verdict: 'failed',
    message: expect.stringContaining('HelmRelease flux-system/tiny'),
  });
});
