import type { ImageChange } from '../../app/change.ts';
import { Fault } from '../../fault.ts';
import { mentionsOf } from '../../manifest/mention.ts';
import { reach } from '../../manifest/reach.ts';
import { treeOf } from '../../manifest/tree.ts';
import { readLayout, type Layout } from './layout.ts';

/**
 * The layout of one app, for those who know its name and its image: the app of that name, else the one whose roots reach
 * a file with the image. Fault `target_missing` where there is none.
 */
export function layoutOfApp(files: ReadonlyMap<string, string>, name: string, image: ImageChange): Layout {
  const { apps, environments } = readLayout(files, name);
  const found = apps.find((app) => app.name === name) ?? apps.find(({ roots }) => holds(files, roots, image));
  if (found === undefined) {
    throw new Fault('target_missing', `no environment of ${name} can be told from the folders of this repository`, {
      hint: `${
        apps.length === 0 ? '' : `They tell of ${apps.map((app) => app.name).join(', ')}. `
      }Write a sluice.yaml that names environments and apps.${name}.roots.`,
    });
  }
  return {
    environments: environments.filter((environment) => found.roots.some((root) => root.environment === environment)),
    apps: [{ ...found, name }],
  };
}

function holds(
  files: ReadonlyMap<string, string>,
  roots: readonly { readonly path: string }[],
  image: ImageChange,
): boolean {
  const reached = reach({
    roots: roots.map(({ path }) => path),
    tree: treeOf(files.keys()),
    contents: files,
  }).files;
  const texts = new Map([...reached].map((path) => [path, Buffer.from(files.get(path) ?? '')]));
  const mentions = mentionsOf(texts, image);
  return [...texts].some(([path, content]) => mentions.in(path, content));
}
