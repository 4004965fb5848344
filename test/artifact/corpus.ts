import { sampleApp } from '../lab/sample-app.ts';

/** The test corpus: what the lab’s real Flux takes to Ready, and whose content digests are in test/golden. */

const map = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: demo}\n`;
const below = (folder: string, files: Record<string, string>) =>
  Object.fromEntries(Object.entries(files).map(([path, text]) => [`${folder}/${path}`, text]));

/** The apps of the corpus: one artifact each. */
export const config = `version: 1
environments:
  staging: {clusters: [{name: staging, agent: "shop/agents:staging"}]}
apps:
  reached: {}
  folder: {files: folder}
  several: {roots: [apps/several/one, apps/several/two]}
  names: {}
  linked: {}
  parent: {}
`;

const long = `${'deep/'.repeat(24)}${'long-'.repeat(30)}`;
/** Files of the delivery repository. */
export const files: Record<string, string> = {
  ...below('apps/reached/base', sampleApp({ namespace: 'demo' })),
  'apps/reached/staging/kustomization.yaml':
    'resources: [../base]\npatches: [{path: ../../../shared/replicas.yaml}]\nconfigMapGenerator: [{name: more, namespace: demo, files: [note.txt=../../../shared/note.txt]}]\n',
  'shared/replicas.yaml':
    'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: podinfo, namespace: demo}\nspec: {replicas: 2}\n',
  'shared/note.txt': 'Grüße\n',
  'shared/not-reached.yaml': map('not-reached'),
  'apps/folder/staging/kustomization.yaml':
    'configMapGenerator: [{name: logo, namespace: demo, files: [logo.png]}]\nresources: [a.yaml]\n',
  'apps/folder/staging/a.yaml': map('folder'),
  'apps/folder/staging/logo.png': '\u0000\u0001 not quite a picture',
  'apps/folder/staging/photo.jpg': 'left out by Flux',
  'apps/folder/.sourceignore': '*.md\n!logo.png\n',
  'apps/folder/README.md': 'left out',
  'apps/several/one/a.yaml': map('one'),
  'apps/several/two/kustomization.yaml': 'resources: [b.yaml]\n',
  'apps/several/two/b.yaml': map('two'),
  [`apps/names/staging/${long}.yaml`]: map('long'),
  'apps/names/staging/with space.yaml': map('space'),
  'apps/names/staging/-dash.yaml': map('dash'),
  'apps/names/staging/ümläut.yaml': map('umlaut'),
  'apps/linked/staging/kustomization.yaml': 'resources: [common, link.yaml]\n',
  'shared/common/kustomization.yaml': 'resources: [c.yaml]\n',
  'shared/common/c.yaml': map('common'),
  'shared/linked.yaml': map('linked'),
  'apps/parent/staging/child.yaml':
    'apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: child, namespace: flux-system}\nspec: {interval: 10m, prune: true, path: ./apps/parent/child, components: [../parts], sourceRef: {kind: OCIRepository, name: parent}}\n',
  'apps/parent/child/kustomization.yaml': 'resources: [d.yaml]\n',
  'apps/parent/child/d.yaml': map('child'),
  'apps/parent/parts/kustomization.yaml':
    'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [e.yaml]\n',
  'apps/parent/parts/e.yaml': map('parts'),
};
/** Symlinks beside them. */
export const links = {
  'apps/linked/staging/common': '../../../shared/common',
  'apps/linked/staging/link.yaml': '../../../shared/linked.yaml',
};
