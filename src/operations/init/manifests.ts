import type { Files } from '../../systems/files.ts';
import type { DeliveryClone } from '../../systems/git-remote.ts';

/** Largest manifest that is read. */
const MOST_BYTES = 1024 * 1024;
const YAML = /\.ya?ml$|(^|\/)Kustomization$/;

/** Texts of a folder's YAML files by path, hidden ones but GitLab's left out. Fault `file_unreadable`. */
export async function manifestsIn(files: Files): Promise<ReadonlyMap<string, string>> {
  const listed = (await files.list('.')) ?? [];
  const paths = listed.map((path) => path.replace(/^\.\//, '')).filter(isManifest);
  const texts = await Promise.all(paths.map(async (path) => [path, await files.read(path)] as const));
  return new Map(
    texts.flatMap(([path, content]) =>
      content === null || content.byteLength > MOST_BYTES ? [] : [[path, Buffer.from(content).toString()] as const],
    ),
  );
}

/** As `manifestsIn`, of a clone's branch. Faults: those of git. */
export async function manifestsOf(clone: DeliveryClone): Promise<ReadonlyMap<string, string>> {
  const tree = await clone.tree();
  const wanted = tree.filter(({ path, mode }) => mode.startsWith('100') && isManifest(path));
  const oids = [...new Set(wanted.map(({ oid }) => oid))];
  const texts = new Map<string, string>();
  for await (const { oid, content } of clone.blobs(oids))
    texts.set(oid, content.byteLength > MOST_BYTES ? '' : Buffer.from(content).toString());
  return new Map(wanted.map(({ path, oid }) => [path, texts.get(oid) ?? ''] as const));
}

function isManifest(path: string): boolean {
  const hidden = path
    .split('/')
    .some(
      (part) => (part.startsWith('.') && part !== '.gitlab' && part !== '.gitlab-ci.yml') || part === 'node_modules',
    );
  return YAML.test(path) && !hidden;
}
