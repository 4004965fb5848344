import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The npm package that a bundled file belongs to, as its folder below the root; null for our own files. */
function packageFolder(input: string): string | null {
  const [, folder] = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input) ?? [];
  return folder ?? null;
}

/** A package that the bundle holds files of. */
export interface BundledPackage {
  /** Folder below the root. */
  readonly folder: string;
  readonly name: string;
  readonly version: string;
  readonly license?: string;
}

/** The packages whose files stand in the bundle, by folder. `inputs` are esbuild's, relative to `root`. */
export async function bundledPackages(root: string, inputs: Iterable<string>): Promise<readonly BundledPackage[]> {
  const folders = [...new Set([...inputs].flatMap((input) => packageFolder(input) ?? []))].toSorted();
  return Promise.all(
    folders.map(async (folder) => {
      const text = await readFile(join(root, folder, 'package.json'), 'utf8');
      const { name, version, license } = JSON.parse(text) as Omit<BundledPackage, 'folder'>;
      return { folder, name, version, ...(license === undefined ? {} : { license }) };
    }),
  );
}

/** The licences of packages as one text: name, version, licence and its own text where the package brings it. */
export async function thirdPartyLicences(root: string, packages: readonly BundledPackage[]): Promise<string> {
  const parts = await Promise.all(
    packages.map(async ({ folder, name, version, license }) => {
      const files = (await readdir(join(root, folder))).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
      const texts = await Promise.all(files.toSorted().map((file) => readFile(join(root, folder, file), 'utf8')));
      const head = `${name} ${version} (${license ?? 'see below'})`;
      return `${head}\n${'='.repeat(head.length)}\n\n${texts.map((text) => `${text.trim()}\n`).join('\n')}`;
    }),
  );
  return `The bundle holds parts of these packages.\n\n${parts.join('\n\n')}`;
}
