/** Delivery repositories as people lay them out, and what is to be told from them. */
export interface KnownLayout {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  /** `<environment>/<app>` → root. */
  readonly roots: Readonly<Record<string, string>>;
}

const deployment = (name: string) => `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec: { containers: [{ name: ${name}, image: ${name} }] }
`;
const base = (folder: string, name: string) => ({
  [`${folder}/kustomization.yaml`]:
    'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [deployment.yaml]\n',
  [`${folder}/deployment.yaml`]: deployment(name),
});
const overlay = (folder: string, to: string, image: string) => ({
  [`${folder}/kustomization.yaml`]: `apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: ${image}\nresources: [${to}]\nimages: [{ name: ${image}, newName: registry.example.com/shop/${image}, newTag: 1.0.0 }]\n`,
});
const release = (name: string, version: string) => `apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: { name: ${name}, namespace: flux-system }
spec:
  interval: 10m
  chart: { spec: { chart: ${name}, version: "${version}", sourceRef: { kind: HelmRepository, name: charts } } }
`;
const fluxKustomization = (name: string, path: string) => `apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: ${name}
  namespace: flux-system
spec:
  interval: 10m0s
  sourceRef:
    kind: GitRepository
    name: flux-system
  path: ${path}
  prune: true
`;
const bootstrap = (cluster: string) => ({
  [`clusters/${cluster}/flux-system/gotk-sync.yaml`]: `apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: { name: flux-system, namespace: flux-system }
spec: { interval: 1m0s, ref: { branch: main }, secretRef: { name: flux-system }, url: "https://gitlab.example.com/platform/fleet.git" }
---
${fluxKustomization('flux-system', `./clusters/${cluster}`)}`,
});

export const layouts: readonly KnownLayout[] = [
  {
    name: 'apps/<app>/<environment>',
    files: {
      ...base('apps/web/base', 'web'),
      ...overlay('apps/web/staging', '../base', 'web'),
      ...overlay('apps/web/production', '../base', 'web'),
      ...base('apps/api/base', 'api'),
      ...overlay('apps/api/staging', '../base', 'api'),
    },
    roots: {
      'staging/web': 'apps/web/staging',
      'production/web': 'apps/web/production',
      'staging/api': 'apps/api/staging',
    },
  },
  {
    name: '<environment>/<app>',
    files: {
      ...base('base/web', 'web'),
      ...overlay('dev/web', '../../base/web', 'web'),
      ...overlay('prod/web', '../../base/web', 'web'),
      ...base('base/api', 'api'),
      ...overlay('dev/api', '../../base/api', 'api'),
      ...overlay('prod/api', '../../base/api', 'api'),
    },
    roots: { 'dev/web': 'dev/web', 'prod/web': 'prod/web', 'dev/api': 'dev/api', 'prod/api': 'prod/api' },
  },
  {
    name: 'overlays/<environment>, one app',
    files: {
      ...base('base', 'delivery'),
      ...overlay('overlays/qa', '../../base', 'delivery'),
      ...overlay('overlays/live', '../../base', 'delivery'),
    },
    roots: { 'qa/delivery': 'overlays/qa', 'live/delivery': 'overlays/live' },
  },
  {
    name: 'apps/<app>/overlays/<environment>, environments of any name',
    files: {
      ...base('apps/web/base', 'web'),
      ...overlay('apps/web/overlays/blue', '../../base', 'web'),
      ...overlay('apps/web/overlays/green', '../../base', 'web'),
    },
    roots: { 'blue/web': 'apps/web/overlays/blue', 'green/web': 'apps/web/overlays/green' },
  },
  {
    name: 'environments/<environment>/<app>, with an aggregate',
    files: {
      'environments/staging/kustomization.yaml': 'resources: [web, api]\n',
      ...base('environments/staging/web', 'web'),
      ...base('environments/staging/api', 'api'),
    },
    roots: { 'staging/web': 'environments/staging/web', 'staging/api': 'environments/staging/api' },
  },
  {
    name: 'clusters/<cluster>/<app>, HelmReleases without a kustomization',
    files: {
      'clusters/prod-eu/web/release.yaml': release('web', '1.0.0'),
      'clusters/prod-us/web/release.yaml': release('web', '1.0.0'),
      'clusters/staging-eu/web/release.yaml': release('web', '1.1.0'),
    },
    roots: {
      'staging-eu/web': 'clusters/staging-eu/web',
      'prod-eu/web': 'clusters/prod-eu/web',
      'prod-us/web': 'clusters/prod-us/web',
    },
  },
  {
    name: 'setter markers in plain manifests',
    files: {
      'apps/web/staging/web.yaml': deployment('web')
        .replace('image: web', 'image: "registry.example.com/shop/web:1.0.0"')
        .replace('}] }\n', '}] } # {"$imagepolicy": "flux-system:web"}\n'),
    },
    roots: { 'staging/web': 'apps/web/staging' },
  },
  {
    name: 'Flux’s own example: clusters, apps per environment, infrastructure',
    files: {
      ...bootstrap('staging'),
      ...bootstrap('production'),
      'clusters/staging/apps.yaml': fluxKustomization('apps', './apps/staging'),
      'clusters/production/apps.yaml': fluxKustomization('apps', './apps/production'),
      'clusters/staging/infrastructure.yaml': fluxKustomization('infra-controllers', './infrastructure/controllers'),
      'clusters/production/infrastructure.yaml': fluxKustomization('infra-controllers', './infrastructure/controllers'),
      'apps/base/podinfo/kustomization.yaml': 'resources: [release.yaml]\n',
      'apps/base/podinfo/release.yaml': release('podinfo', '6.5.0'),
      'apps/staging/kustomization.yaml': 'resources: [../base/podinfo]\n',
      'apps/production/kustomization.yaml': 'resources: [../base/podinfo]\n',
      'infrastructure/controllers/cert-manager.yaml': release('cert-manager', '1.0.0'),
    },
    roots: {
      'staging/apps': 'apps/staging',
      'production/apps': 'apps/production',
      'staging/controllers': 'infrastructure/controllers',
      'production/controllers': 'infrastructure/controllers',
    },
  },
];
