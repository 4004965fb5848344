import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The npm package that a bundled file belongs to, as its folder below the root; null for our own files. */
function packageFolder(input: string): string | null {
  const [, folder] = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input) ?? [];
  return folder ?? null;
}

/**
 * The licences of all packages whose files stand in the bundle, as one text: name, version, licence and the licence's
 * own text where the package brings it. `inputs` are esbuild's, relative to `root`.
 */
export async function thirdPartyLicences(root: string, inputs: Iterable<string>): Promise<string> {
  const folders = [...new Set([...inputs].flatMap((input) => packageFolder(input) ?? []))].toSorted();
  const parts = await Promise.all(
    folders.map(async (folder) => {
      const about = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8')) as {
        readonly name: string;
        readonly version: string;
        readonly license?: string;
      };
      const files = (await readdir(join(root, folder))).filter((name) => /^(licen[cs]e|copying|notice)/i.test(name));
      const texts = await Promise.all(files.toSorted().map((name) => readFile(join(root, folder, name), 'utf8')));
      const head = `${about.name} ${about.version} (${about.license ?? 'see below'})`;
      return `${head}\n${'='.repeat(head.length)}\n\n${texts.map((text) => `${text.trim()}\n`).join('\n')}`;
    }),
  );
  return `The bundle holds parts of these packages.\n\n${parts.join('\n\n')}`;
}
