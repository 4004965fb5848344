import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '..', '..');

/** A fenced (or, `indented`, an indented) code block of a page. */
export interface Block {
  /** Page and line, e.g. `docs/security.md:12`. */
  readonly where: string;
  readonly page: string;
  /** First word of the info string. */
  readonly language: string;
  /** The rest of it: what the block is, e.g. `sluice.yaml`, `run`, `output`. */
  readonly kind: string;
  /** Why it cannot be checked (`unchecked: …`), or null. */
  readonly unchecked: string | null;
  readonly text: string;
}

/** A page of the documentation. */
export interface Page {
  readonly path: string;
  readonly text: string;
  readonly blocks: readonly Block[];
  /** The text without its code blocks. */
  readonly prose: string;
}

const elsewhere = ['node_modules', 'dist', 'test', 'sandbox', '.git'];

/** Every Markdown page of the repository but fixtures. */
export async function readPages(): Promise<readonly Page[]> {
  const paths = await pagesBelow('');
  return Promise.all(paths.map(async (path) => readPage(path, await readFile(join(root, path), 'utf8'))));
}

async function pagesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true });
  const found = await Promise.all(
    entries.map(async (entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return elsewhere.includes(path) ? [] : pagesBelow(path);
      return entry.name.endsWith('.md') ? [path] : [];
    }),
  );
  return found.flat().toSorted();
}

function readPage(path: string, text: string): Page {
  const blocks: Block[] = [];
  const prose: string[] = [];
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const [, indent, info] = /^( *)```(.*)$/.exec(lines[at]!) ?? [];
    if (indent === undefined && lines[at]!.startsWith('    ') && (lines[at - 1] ?? '').trim() === '') {
      const end = lines.findIndex((line, index) => index > at && line !== '' && !line.startsWith('    '));
      const last = end < 0 ? lines.length : end;
      blocks.push(block(path, at, 'indented', lines.slice(at, last), 4));
      at = last - 1;
    } else if (indent === undefined) {
      prose.push(lines[at]!);
    } else {
      const end = lines.findIndex((line, index) => index > at && line.trim() === '```');
      if (end < 0) throw new Error(`${path}:${at + 1}: the code block does not end`);
      blocks.push(block(path, at, info!, lines.slice(at + 1, end), indent.length));
      at = end;
    }
  }
  return { path, text, blocks, prose: prose.join('\n') };
}

function block(page: string, line: number, info: string, lines: readonly string[], indent: number): Block {
  const [language = '', ...rest] = info.trim().split(/\s+/);
  const kind = rest.join(' ');
  const text = `${lines.map((each) => each.slice(indent)).join('\n')}\n`;
  const unchecked = kind.startsWith('unchecked:') ? kind.slice('unchecked:'.length).trim() : null;
  return { where: `${page}:${line + 1}`, page, language, kind, unchecked, text };
}
