import { posix } from 'node:path';
import { Fault } from '../fault.ts';
import type { Reach } from '../manifest/reach.ts';
import { treeOf, type Tree } from '../manifest/tree.ts';
import type { Files } from '../systems/files.ts';
import type { Kustomize } from '../systems/kustomize.ts';
import type { ArchiveFile } from './archive.ts';
import { buildStep, objectsIn } from './rendered.ts';

/** A folder that Flux builds, with the components that a Kustomization adds. */
export type BuiltFolder = Reach['builds'][number];

/** A tree on disk, ready to be built. */
export interface BuildFolder extends AsyncDisposable {
  /** What Flux would render for one folder; null where kustomize refuses, with its text. */
  build(build: BuiltFolder): Promise<Rendered>;
}

/** What a build gave. */
export type Rendered = { readonly ok: true; readonly yaml: string } | { readonly ok: false; readonly error: string };

/**
 * Writes files to a temporary folder; `links`: symlinks (path → text) beside them, by which `names` are there too. In a
 * checkout kustomize follows symlinks, and goes on from where they lead.
 */
export async function materialize(options: {
  readonly files: Files;
  readonly kustomize: Kustomize;
  readonly content: AsyncIterable<ArchiveFile> | Iterable<ArchiveFile>;
  readonly links?: ReadonlyMap<string, string>;
  readonly names?: Iterable<string>;
  readonly signal?: AbortSignal | undefined;
}): Promise<BuildFolder> {
  const { files, kustomize, content, signal } = options;
  const folder = await files.temporary('sluice-build-');
  const paths: string[] = [];
  try {
    for await (const file of content) {
      paths.push(file.path);
      const { content: of } = file;
      const target = `${folder.path}/tree/${file.path}`;
      await (of instanceof Uint8Array ? files.write(target, of) : files.writeStream(target, of.chunks()));
    }
    for (const [path, text] of options.links ?? []) await files.link(`${folder.path}/tree/${path}`, text);
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
  const tree: Tree = treeOf(options.names ?? paths);
  let builds = 0;
  return {
    async build(build) {
      if (!tree.isDirectory(build.folder)) return { ok: false, error: `${build.folder} is not in the artifact` };
      const step = buildStep(tree, build, '../tree');
      if (step.kind === 'empty') return { ok: true, yaml: '' };
      let path = posix.join(folder.path, 'tree', build.folder);
      if (step.kind === 'wrapped') {
        path = `${folder.path}/wrapped-${++builds}`;
        await files.write(`${path}/kustomization.yaml`, step.kustomization);
      }
      const built = await kustomize.build(path, signal);
      if (built.ok) return built;
      // Flux sets a field in such a file, so that kustomize takes it (fluxcd/pkg kustomize_generator.go).
      if (built.error.includes('kustomization.yaml is empty')) return { ok: true, yaml: '' };
      return { ok: false, error: built.error.replaceAll(`${folder.path}/tree/`, '').replaceAll(folder.path, '') };
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** What the proof says about an artifact. */
export type Proof =
  /** Both give the same. `rendered`: the roots' YAML from the full tree. */
  | { readonly proven: true; readonly rendered: readonly string[] }
  /** They do not: why, in one sentence. */
  | { readonly proven: false; readonly why: string; readonly missing: readonly string[] };

/**
 * Builds every folder from the artifact and from the full tree and compares. `roots` is how many of `builds` are
 * configured roots: where one of those fails in both, the artifact is refused (Fault `build_refused`).
 */
export async function prove(
  artifact: BuildFolder,
  full: BuildFolder,
  builds: Reach['builds'],
  roots: number,
): Promise<Proof> {
  const rendered: string[] = [];
  for (const [index, build] of builds.entries()) {
    const [whole, part] = [await full.build(build), await artifact.build(build)];
    if (!whole.ok && !part.ok) {
      if (index < roots) {
        throw new Fault('build_refused', `kustomize cannot build ${build.folder || 'the repository'}: ${whole.error}`);
      }
      continue;
    }
    if (!part.ok) return { proven: false, why: `${build.folder} does not build alone: ${part.error}`, missing: [] };
    if (!whole.ok || whole.yaml !== part.yaml) {
      const kept = new Set(objectsIn(part.yaml));
      const missing = whole.ok ? objectsIn(whole.yaml).filter((object) => !kept.has(object)) : [];
      return { proven: false, why: `${build.folder} builds differently from the artifact`, missing };
    }
    rendered.push(whole.yaml);
  }
  return { proven: true, rendered };
}
