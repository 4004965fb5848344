import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { commands } from '../runner/cli.ts';
import { globalFlags, variableOf } from '../runner/settings/flags.ts';
import { type Page, readPages, root } from './docs/blocks.ts';

/** Links, commands, flags and variables that pages name exist. */

const pages = await readPages();
const own = pages.filter(({ path }) => !path.startsWith('examples/'));
let files: ReadonlySet<string>;
let sources = '';
/** Without scripts. */
let product = '';
beforeAll(async () => {
  const skipped = /^(node_modules|dist|\.git)(\/|$)/;
  const folders = (await readdir(root, { withFileTypes: true })).filter(({ name }) => !skipped.test(name));
  const found = await Promise.all(
    folders.map(async (entry) => {
      if (!entry.isDirectory()) return [entry.name];
      const inner = await readdir(join(root, entry.name), { recursive: true });
      return [entry.name, ...inner.map((name) => join(entry.name, name))];
    }),
  );
  files = new Set(found.flat());
  const textOf = async (place: RegExp) => {
    const code = [...files].filter((name) => place.test(name) && /\.(ts|mjs|yml)$/.test(name));
    return (await Promise.all(code.map((name) => readFile(join(root, name), 'utf8')))).join('\n');
  };
  product = await textOf(/^(src|runner|templates)\//);
  sources = product + (await textOf(/^scripts\//));
});

/** The anchor that GitLab gives a heading. */
function anchorOf(heading: string): string {
  const plain = heading.replaceAll(/`|\*\*|\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
  return plain
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s/g, '-');
}

function anchorsOf(page: Page): ReadonlySet<string> {
  return new Set([...page.prose.matchAll(/^#+ (.+)$/gm)].map((match) => anchorOf(match[1]!)));
}

/** What is wrong with a link of a page; undefined: nothing. Addresses of other places are not asked. */
function linkFault(page: Page, target: string): string | undefined {
  if (/^(https?:|mailto:)/.test(target)) return undefined;
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? page.path : normalize(join(dirname(page.path), path)).replace(/\/$/, '');
  if (!files.has(file)) return `${target}: there is no ${file}`;
  if (anchor === undefined) return undefined;
  const other = pages.find((each) => each.path === file);
  return other && anchorsOf(other).has(anchor) ? undefined : `${target}: ${file} has no such heading`;
}

describe.each(pages.map((page) => [page.path, page] as const))('%s', (_path, page) => {
  test('its links lead somewhere', () => {
    const targets = [...page.prose.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!);
    expect(targets.flatMap((target) => linkFault(page, target) ?? [])).toEqual([]);
  });

  test('commands and flags in its text exist', () => {
    const spans = [...page.prose.matchAll(/`sluice ([a-z]+)([^`]*)`/g)];
    const faults = spans.flatMap(([span, name, rest]) => {
      const command = commands.find((each) => each.name === name);
      if (!command) return [`${span}: there is no such command`];
      const known = new Set([...command.flags, ...globalFlags].map((flag) => `--${flag.name}`).concat('--help'));
      return [...rest!.matchAll(/--[a-z-]+/g)]
        .filter(([flag]) => !known.has(flag))
        .map(([flag]) => `${span}: no ${flag}`);
    });
    expect(faults).toEqual([]);
  });

  test('variables in its text exist', () => {
    const flags = new Set(
      [...commands.flatMap((command) => command.flags), ...globalFlags].map(({ name }) => variableOf(name)),
    );
    const named = [...new Set(page.text.match(/\bSLUICE_[A-Z_]*[A-Z]\b/g))];
    const read = (name: string) => new RegExp(`\\b${name}\\b`).test(sources);
    const ofApp = (name: string) => /^SLUICE_(GITLAB_TOKEN|DIGEST)_[A-Z_]+$/.test(name);
    expect(named.filter((name) => !flags.has(name) && !read(name) && !ofApp(name))).toEqual([]);
  });
});

test('every page of docs/ can be reached from docs/README.md or the README', () => {
  const reached = new Set<string>(['README.md']);
  for (const path of reached) {
    const page = pages.find((each) => each.path === path);
    for (const [, target] of page?.prose.matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g) ?? []) {
      const file = normalize(join(dirname(path), target!)).replace(/\/$/, '');
      reached.add(pages.some((each) => each.path === file) ? file : join(file, 'README.md'));
    }
  }
  const left = own.filter(({ path }) => path.startsWith('docs/') && !path.startsWith('docs/decisions/'));
  expect(left.map(({ path }) => path).filter((path) => !reached.has(path))).toEqual([]);
});

test('docs/variables.md names every variable that is no flag', () => {
  const flags = new Set(
    [...commands.flatMap((command) => command.flags), ...globalFlags].map(({ name }) => variableOf(name)),
  );
  const read = new Set(product.match(/(?<![A-Z_])SLUICE_[A-Z_]*[A-Z]\b/g));
  const { text } = pages.find(({ path }) => path === 'docs/variables.md')!;
  // The child's own name for the signing key, and the names that init proposes.
  const inner = ['SLUICE_SIGNING_KEY', 'SLUICE_RECEIVER'];
  expect([...read].filter((name) => !flags.has(name) && !inner.includes(name) && !text.includes(`\`${name}`))).toEqual(
    [],
  );
});

test('the pages tell of no command that is not built', () => {
  const later = ['check', 'promote', 'rollback', 'drift', 'tokens', 'board', 'init', 'doctor'];
  const absent = later.filter((name) => commands.every((command) => command.name !== name));
  const told = pages.flatMap(({ path, text }) =>
    absent.filter((name) => new RegExp(`sluice ${name}\\b`).test(text)).map((name) => `${path}: sluice ${name}`),
  );
  expect(told).toEqual([]);
});
