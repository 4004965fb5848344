import { readdir, readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const stations = [
  'config',
  'app',
  'manifest',
  'delivery',
  'artifact',
  'notify',
  'watch',
  'status',
  'sync',
  'operations',
];
/** The walls' few doors: first files of stations that hold only records, used in the words of systems and settings. */
const recordFiles = new Set([
  'src/notify/request.ts',
  'src/delivery/commit.ts',
  'src/status/report.ts',
  'src/config/config.ts',
]);
/** Systems' words whose records pure files judge. */
const systemRecords = new Set(['src/systems/cluster.ts', 'src/systems/inspection.ts']);
const sdks = [/^@gitbeaker\//, /^@kubernetes\//, /^execa$/];
/** The acting files of the stations: they take systems as arguments; all others are pure. */
const acting = new Set<string>(JSON.parse(await readFile(join(root, 'test', 'acting-files.json'), 'utf8')) as string[]);

interface Source {
  readonly path: string;
  readonly text: string;
  /** Module names as written, and whether only types are imported. */
  readonly imports: readonly { readonly from: string; readonly typeOnly: boolean }[];
}

let sources: readonly Source[] = [];

beforeAll(async () => {
  const folders = ['src', 'runner', 'sandbox', 'scripts', 'test', 'bench'];
  const lists = await Promise.all(
    folders.map(async (folder) =>
      (await readdir(join(root, folder), { recursive: true, withFileTypes: true }).catch(() => []))
        .filter(
          (entry) => entry.isFile() && /\.(ts|mjs)$/.test(entry.name) && !entry.parentPath.includes('node_modules'),
        )
        .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)),
    ),
  );
  sources = await Promise.all(
    lists.flat().map(async (path) => {
      const text = await readFile(join(root, path), 'utf8');
      return { path, text, imports: importsOf(text) };
    }),
  );
});

function importsOf(text: string): Source['imports'] {
  const pattern = /^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'|\bimport\('([^']+)'\)/gm;
  return [...text.matchAll(pattern)].map((match) => ({
    from: match[2] ?? match[3]!,
    typeOnly: match[1] !== undefined,
  }));
}

const resolved = (source: Source, from: string) =>
  from.startsWith('.') ? posix.join(posix.dirname(source.path), from) : from;
const stationOf = (path: string) => /^src\/([a-z]+)\//.exec(path)?.[1];
const inside = (folder: string) => sources.filter((source) => source.path.startsWith(`${folder}/`));

describe('walls', () => {
  test('the sources were found', () => {
    expect(sources.length).toBeGreaterThan(60);
    expect(inside('src').flatMap((source) => source.imports).length).toBeGreaterThan(100);
  });

  test('no station imports a later one', () => {
    const wrong = inside('src').flatMap((source) => {
      const own = stations.indexOf(stationOf(source.path) ?? '');
      if (own < 0) return [];
      return source.imports
        .map(({ from }) => resolved(source, from))
        .filter((target) => stations.indexOf(stationOf(target) ?? '') > own && !recordFiles.has(target))
        .map((target) => `${source.path} → ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  test('systems know of stations only the records', () => {
    const wrong = inside('src/systems').flatMap((source) =>
      source.imports
        .map(({ from }) => resolved(source, from))
        .filter((target) => stations.includes(stationOf(target) ?? '') && !recordFiles.has(target))
        .map((target) => `${source.path} → ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test('src imports neither runner nor sandbox, runner no sandbox', () => {
    const reaches = (folder: string, ...others: string[]) =>
      inside(folder).flatMap((source) =>
        source.imports
          .map(({ from }) => resolved(source, from))
          .filter((target) => others.some((other) => target.startsWith(`${other}/`)))
          .map((target) => `${source.path} → ${target}`),
      );
    expect([...reaches('src', 'runner', 'sandbox'), ...reaches('runner', 'sandbox')]).toEqual([]);
  });

  test('SDKs stand only in src/systems', () => {
    const wrong = [...inside('src'), ...inside('runner')]
      .filter((source) => !source.path.startsWith('src/systems/'))
      .flatMap((source) =>
        source.imports
          .filter(({ from }) => sdks.some((sdk) => sdk.test(from)))
          .map(({ from }) => `${source.path} → ${from}`),
      );
    expect(wrong).toEqual([]);
  });

  test('pure files import no I/O and no systems, acting files only their types', () => {
    const io = /^node:(fs|child_process|net|http|https|process|os|timers)/;
    const wrong = inside('src')
      .filter((source) => stationOf(source.path) !== undefined && stationOf(source.path) !== 'systems')
      .flatMap((source) =>
        source.imports
          .filter(({ from, typeOnly }) => {
            const target = resolved(source, from);
            if (io.test(target)) return !acting.has(source.path);
            return (
              target.startsWith('src/systems/') &&
              !(typeOnly && acting.has(source.path)) &&
              !(typeOnly && systemRecords.has(target))
            );
          })
          .map(({ from }) => `${source.path} → ${from}`),
      );
    expect(wrong).toEqual([]);
  });

  test('only compose.ts connects systems', () => {
    const wrong = inside('runner')
      .filter((source) => !['runner/compose.ts', 'runner/session.ts'].includes(source.path))
      .flatMap((source) =>
        source.imports
          .filter(({ from, typeOnly }) => resolved(source, from).startsWith('src/systems/') && !typeOnly)
          .map(({ from }) => `${source.path} → ${from}`),
      );
    expect(wrong).toEqual([]);
  });
});

describe('house rules', () => {
  test('no file has more than 300 lines', () => {
    expect(sources.filter((source) => source.text.split('\n').length > 301).map((source) => source.path)).toEqual([]);
  });

  test('no test is switched off, and nothing is left for later', () => {
    const off = new RegExp(String.raw`\b(?:it|test|describe)\.(?:only|skip|todo)\b|\b${'TO'}DO\b|\bFIX${'ME'}\b`);
    expect(sources.filter((source) => off.test(source.text)).map((source) => source.path)).toEqual([]);
  });

  test('names say something', () => {
    const vague = /(^|[/.-])(utils?|helpers?|common|misc|manager|service)s?([/.-]|$)/;
    expect(
      sources.map((source) => source.path).filter((path) => vague.test(path) && !path.startsWith('test/lab/wrap/')),
    ).toEqual([]);
  });
});
