import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Kustomizations as people write them; each holds the tag `1.0.0` of the image `web` once. */
const STYLES: readonly string[] = [
  'apiVersion: kustomize.config.k8s.io/v1beta1\nimages:\n- name: web\n  newTag: 1.0.0\nkind: Kustomization\nresources:\n- deployment.yaml\n',
  'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - deployment.yaml\nimages:\n  - name: web\n    newTag: 1.0.0\n',
  'resources: [deployment.yaml]\nimages:\n  - name: web\n    newTag: 1.0.0\n',
  '# team web\nresources:\n- deployment.yaml   # the one\nimages:\n- name: web     # kept\n  newTag: "1.0.0"   # by CI\n',
  "resources:\n    - deployment.yaml\n\nimages:\n    - { name: web,  newTag: '1.0.0' }   # flow\n",
  'resources: [deployment.yaml]\r\nimages:\r\n  - name: web\r\n    newTag: 1.0.0\r\n',
  '\uFEFFresources: [deployment.yaml]\nimages:\n  - name: web\n    newTag: 1.0.0\n',
  '---\nimages:\n  - newTag: 1.0.0\n    name: web\n\n\nresources:\n  - deployment.yaml\n...\n',
  'resources: [deployment.yaml]\nimages:\n  - name: web\n    newTag: 1.0.0',
  'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nimages:\n- name: web\n  newTag: 1.0.0\nresources:\n- deployment.yaml\n',
];

/** Writes `count` folders, each with a kustomization.yaml in turn of the styles; answers their paths. */
export async function writeCorpus(root: string, count: number): Promise<readonly string[]> {
  const paths: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const folder = join(root, `app-${index}`);
    await mkdir(folder, { recursive: true });
    const path = join(folder, 'kustomization.yaml');
    await writeFile(path, STYLES[index % STYLES.length]!);
    paths.push(path);
  }
  return paths;
}

/** Share of the corpus whose bytes are those of before with the new tag alone changed. */
export async function exactShare(paths: readonly string[], tag: string): Promise<number> {
  let exact = 0;
  for (const [index, path] of paths.entries()) {
    const wanted = STYLES[index % STYLES.length]!.replace('1.0.0', tag);
    if ((await readFile(path, 'utf8')) === wanted) exact += 1;
  }
  return exact / paths.length;
}

/** Deployments to discover in, `count` files below `root`; one in a hundred holds the image `web`. */
export async function writeManifests(root: string, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const folder = join(root, `team-${index % 100}`, `app-${Math.floor(index / 100)}`);
    await mkdir(folder, { recursive: true });
    const image =
      index % 100 === 0 ? 'registry.example.com/shop/web:1.0.0' : `registry.example.com/shop/app-${index}:1`;
    await writeFile(
      join(folder, 'deployment.yaml'),
      `apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app-${index}\n  labels: { app: app-${index} }\nspec:\n  replicas: 2\n  template:\n    spec:\n      containers:\n        - name: app\n          image: ${image}\n          ports:\n            - containerPort: 8080\n`,
    );
  }
}
