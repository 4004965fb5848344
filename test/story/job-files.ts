/** The delivery project and the application project. */
export const delivery = 'shop/delivery';
export const application = 'shop/podinfo';

/** Command line of an update of podinfo in staging. */
export function updateOf(image: string, ...more: readonly string[]): readonly string[] {
  const place = ['--delivery', delivery, '--app', 'podinfo', '--environment', 'staging'];
  return ['update', ...place, '--image', image, ...more];
}

/** sluice.yaml of the stories; parts are replaced by what a story needs. */
export const settings = `version: 1
environments:
  staging: { clusters: [{ name: eu, context: "shop/agents:staging-eu" }] }
  production: { promote_from: staging, clusters: [{ name: prod, context: "shop/agents:staging-eu" }] }
apps:
  podinfo: { project: shop/podinfo }
`;

/** Manifests of podinfo in one environment. */
export function manifests(host: string, tag: string, environment = 'staging'): Record<string, string> {
  return {
    [`apps/podinfo/${environment}/kustomization.yaml`]: `resources: [deployment.yaml]\nnamespace: podinfo\nimages:\n  - { name: podinfo, newName: "${host}/shop/podinfo", newTag: "${tag}" }\n`,
    [`apps/podinfo/${environment}/deployment.yaml`]: `apiVersion: apps/v1
kind: Deployment
metadata: { name: podinfo-${environment} }
spec:
  progressDeadlineSeconds: 60
  selector: { matchLabels: { app: podinfo } }
  template:
    metadata: { labels: { app: podinfo } }
    spec: { containers: [{ name: podinfo, image: podinfo }] }
`,
  };
}

/** The claim of a delivery commit. */
export function claim(origin: string, tag: string, pipeline?: number): string {
  return [
    `deploy(staging): podinfo ${tag}`,
    '',
    'Sluice-App: podinfo',
    'Sluice-Environment: staging',
    `Sluice-Source-Project: ${application}`,
    `Sluice-Source-Commit: ${origin}`,
    ...(pipeline === undefined ? [] : [`Sluice-Source-Pipeline: ${pipeline}`]),
    '',
  ].join('\n');
}

/** What Flux follows in both environments. */
export function fluxObjects(host: string): string {
  return ['staging', 'production']
    .map(
      (environment) => `apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: { name: podinfo-${environment}, namespace: flux-system }
spec:
  url: "oci://${host}/${delivery}/podinfo"
  ref: { tag: ${environment} }
  interval: 10m
  insecure: true
  secretRef: { name: delivery-registry }
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: { name: podinfo-${environment}, namespace: flux-system }
spec:
  sourceRef: { kind: OCIRepository, name: podinfo-${environment} }
  path: ./apps/podinfo/${environment}
  interval: 10m
  timeout: 1m
  prune: true
  wait: true
`,
    )
    .join('---\n');
}
