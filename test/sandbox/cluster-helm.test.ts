import { expect, test } from 'vitest';
import type { ClusterObject } from '../../sandbox/cluster/handle.ts';
import { renderChart } from '../../sandbox/cluster/helm/render.ts';
import { archive, type ClusterWorld, one, shown, startWorld } from './cluster-world.ts';

const layer = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip';
const deployment = (version: string) => `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {matchLabels: {app: tiny}}
  template:
    metadata: {labels: {app: tiny}}
    spec:
      containers: [{name: tiny, image: "registry.example.com/tiny:${version}"}]
`;

async function pushChart(
  world: ClusterWorld,
  version: string,
  tag = version,
  map = 'name: {{ .Release.Name }}\ndata:\n  color: {{ .Values.color | quote }}\n',
) {
  const config = `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  ${map}`;
  const bytes = await archive({
    'tiny/Chart.yaml': `apiVersion: v2\nname: tiny\nversion: ${version}\nappVersion: "1.0"\n`,
    'tiny/values.yaml': 'color: blue\n',
    'tiny/templates/cm.yaml': config,
    'tiny/templates/deployment.yaml': deployment(tag),
  });
  return world.pushLayer('charts/tiny', version, bytes, layer);
}

const source = (host: string): ClusterObject => ({
  apiVersion: 'source.toolkit.fluxcd.io/v1',
  kind: 'OCIRepository',
  metadata: { name: 'tiny', namespace: 'flux-system' },
  spec: {
    interval: '10m',
    url: `oci://${host}/charts/tiny`,
    insecure: true,
    ref: { semver: '>=1.0.0' },
    layerSelector: { mediaType: layer, operation: 'copy' },
  },
});

const helmRelease = (spec: Record<string, unknown>): ClusterObject => ({
  apiVersion: 'helm.toolkit.fluxcd.io/v2',
  kind: 'HelmRelease',
  metadata: { name: 'tiny', namespace: 'flux-system' },
  spec: { interval: '10m', timeout: '20s', targetNamespace: 'helm', releaseName: 'tiny', ...spec },
});

function recordConditions(world: ClusterWorld): string[] {
  const seen: string[] = [];
  world.cluster.observe('HelmRelease', (_type, object) => {
    const line = ['Ready', 'Reconciling', 'Stalled', 'Remediated']
      .map((type) => shown(object, type).replace(/:.*$/, ''))
      .filter((word) => word !== '')
      .join(' | ');
    if (seen.at(-1) !== line) seen.push(line);
  });
  return seen;
}

test('installs, upgrades, and rolls a failed upgrade back to the end of its retries', async () => {
  const world = await startWorld({ requeueDependencyMs: 2000 });
  const { cluster, registry, poke } = world;
  const first = await pushChart(world, '1.0.0');
  const seen = recordConditions(world);
  cluster.scripts.pause('source-controller');
  cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'helm' } });
  cluster.apply([
    source(registry.host),
    helmRelease({
      chartRef: { kind: 'OCIRepository', name: 'tiny' },
      upgrade: { timeout: '8s', remediation: { retries: 1 } },
    }),
  ]);
  await cluster.until(
    'HelmRelease',
    one('tiny', (object) => shown(object, 'Ready').includes('SourceNotReady')),
  );
  cluster.scripts.resume('source-controller');
  const isDone = (digest: string) => (object: ClusterObject) =>
    shown(object, 'Ready').startsWith('Ready=True') &&
    object.status?.['lastAttemptedRevisionDigest'] === digest &&
    object.status['observedGeneration'] === 1 &&
    shown(object, 'Reconciling') === '';
  await cluster.until('HelmRelease', one('tiny', isDone(first)));
  expect(shown(cluster.get('HelmRelease', 'flux-system', 'tiny'), 'Ready')).toBe(
    `Ready=True InstallSucceeded: Helm install succeeded for release helm/tiny.v1 with chart tiny@1.0.0+${first.slice(7, 19)}`,
  );
  expect(seen).toContain('Ready=False SourceNotReady | Reconciling=True Progressing');
  expect(seen.slice(-3)).toEqual([
    'Ready=Unknown Progressing | Reconciling=True Progressing',
    'Ready=True InstallSucceeded | Reconciling=True Progressing',
    'Ready=True InstallSucceeded',
  ]);
  expect(cluster.get('ConfigMap', 'helm', 'tiny')?.['data']).toEqual({ color: 'blue' });

  const second = await pushChart(world, '1.1.0');
  seen.splice(0);
  poke('OCIRepository', 'tiny');
  await cluster.until('HelmRelease', one('tiny', isDone(second)));
  expect(seen.filter((line) => line !== 'Ready=True InstallSucceeded')[0]).toBe(
    'Ready=True InstallSucceeded | Reconciling=True Progressing',
  );

  const third = await pushChart(world, '1.2.0', '1.2.0-broken');
  seen.splice(0);
  poke('OCIRepository', 'tiny');
  const isStalled = (object: ClusterObject) =>
    shown(object, 'Stalled') !== '' && object.status?.['observedGeneration'] === 1;
  await cluster.until('HelmRelease', one('tiny', isStalled));
  const failed = cluster.get('HelmRelease', 'flux-system', 'tiny');
  expect(seen).toContain('Ready=False UpgradeFailed | Reconciling=True Progressing');
  expect(seen).toContain(
    'Ready=False RollbackSucceeded | Reconciling=True ProgressingWithRetry | Remediated=True RollbackSucceeded',
  );
  expect(seen.at(-1)).toBe(
    'Ready=False RollbackSucceeded | Stalled=True RetriesExceeded | Remediated=True RollbackSucceeded',
  );
  expect(shown(failed, 'Stalled')).toBe('Stalled=True RetriesExceeded: Failed to upgrade after 2 attempt(s)');
  expect(failed?.status).toMatchObject({
    lastAttemptedRevision: `1.2.0+${third.slice(7, 19)}`,
    failures: 2,
    upgradeFailures: 2,
    history: [
      { status: 'failed', chartVersion: `1.2.0+${third.slice(7, 19)}` },
      { status: 'deployed', chartVersion: `1.1.0+${second.slice(7, 19)}` },
      {},
      {},
      {},
    ],
  });
  expect(cluster.get('Deployment', 'helm', 'tiny')?.spec).toMatchObject({
    template: { spec: { containers: [{ image: 'registry.example.com/tiny:1.1.0' }] } },
  });
});

test('a template error makes no release and never stalls', async () => {
  const world = await startWorld({ requeueDependencyMs: 500 });
  const { cluster, registry, poke } = world;
  await pushChart(world, '1.0.0');
  cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'helm' } });
  cluster.apply([
    source(registry.host),
    helmRelease({ chartRef: { kind: 'OCIRepository', name: 'tiny' }, upgrade: { remediation: { retries: 1 } } }),
  ]);
  await cluster.until(
    'HelmRelease',
    one('tiny', (object) => shown(object, 'Ready').startsWith('Ready=True')),
  );
  await pushChart(world, '1.3.0', '1.3.0', 'name: {{ required "boom" .Values.nope }}\n');
  poke('OCIRepository', 'tiny');
  await cluster.until(
    'HelmRelease',
    one('tiny', (object) => Number(object.status?.['failures'] ?? 0) > 1),
  );
  const failed = cluster.get('HelmRelease', 'flux-system', 'tiny');
  expect(shown(failed, 'Ready')).toMatch(
    /^Ready=False UpgradeFailed: .*execution error at \(tiny\/templates\/cm\.yaml:4:\d+\): boom$/,
  );
  expect(shown(failed, 'Reconciling')).toContain("Reconciling=True Progressing: Running 'upgrade' action");
  expect(failed?.status?.['upgradeFailures']).toBeUndefined();
});

test('a template with partials, loops and pipelines renders as Helm does', () => {
  const rendered = renderChart(
    'web',
    {
      'templates/_helpers.tpl': '{{- define "web.name" -}}{{ .Release.Name | trunc 5 | trimSuffix "-" }}{{- end -}}',
      'templates/cm.yaml': `name: {{ include "web.name" . }}
{{- if and .Values.on (gt (int .Values.count) 1) }}
env:
  {{- range $key, $value := .Values.env }}
  {{ $key }}: {{ $value | default "none" | quote }}
  {{- end }}
{{- else }}
env: {}
{{- end }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
list:
{{- range .Values.items }}
- {{ .name }}-{{ $.Release.Name }}
{{- end }}
`,
    },
    {
      Release: { Name: 'shop-front' },
      Values: {
        on: true,
        count: 2,
        env: { B: '', A: 'x' },
        resources: { limits: { cpu: 1 } },
        items: [{ name: 'a' }, { name: 'b' }],
      },
    },
  );
  expect(rendered.get('templates/cm.yaml')).toBe(`name: shop
env:
  A: "x"
  B: "none"
resources:
  limits:
    cpu: 1
list:
- a-shop-front
- b-shop-front
`);
});
