import { archive, type ClusterWorld } from './cluster-world.ts';

const layer = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip';

/** Pushes the chart `tiny` 1.0.0 as an OCI artifact: one Deployment. */
export async function pushChart(world: ClusterWorld): Promise<void> {
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
export function release(world: ClusterWorld, tag: string, spec = ''): Record<string, string> {
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
