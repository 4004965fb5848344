import { posix } from 'node:path';
import type { ImageChange, ValueChange } from '../app/change.ts';
import type { App, Config, ExplicitTarget, Pair } from '../config/config.ts';
import { pairOf } from '../config/pair.ts';
import { Fault } from '../fault.ts';
import { reach, type ReachNote } from '../manifest/reach.ts';
import type { Tip } from './tip.ts';

/** The files in which an app's change for one environment is looked for. */
export interface Scope {
  /** Contents of the files that the environment reaches, of explicit targets and of values, by path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Of these, the files that an environment not asked for also reaches, each with what to say about it. */
  readonly shared: ReadonlyMap<string, string>;
  /** Explicit targets with `{environment}` filled in. */
  readonly targets: readonly ExplicitTarget[];
  /** Values with their file's path from the repository's root. */
  readonly values: readonly ValueChange[];
  /** Other files that were read on the way: where to look for near candidates. */
  readonly elsewhere: ReadonlyMap<string, Uint8Array>;
  /** What the roots' references could not tell. */
  readonly unclear: readonly ReachNote[];
}

/** What one app's environments reach: reads kustomizations round by round, each round in one batch. */
async function reachAll(
  tip: Tip,
  pairs: readonly Pair[],
): Promise<{
  readonly reached: ReadonlyMap<string, ReturnType<typeof reach>>;
  readonly texts: ReadonlyMap<string, Uint8Array>;
}> {
  const contents = new Map<string, string>();
  const bytes = new Map<string, Uint8Array>();
  for (;;) {
    const reached = new Map(
      pairs.map((pair) => {
        const roots = pair.artifacts.flatMap((artifact) => artifact.roots);
        return [pair.environment.name, reach({ roots, tree: tip, contents })];
      }),
    );
    const needs = [...new Set([...reached.values()].flatMap((each) => each.needs))];
    if (needs.length === 0) return { reached, texts: bytes };
    for (const [path, content] of await tip.read(needs)) {
      bytes.set(path, content);
      contents.set(path, textOf(content));
    }
  }
}

function pairsOfApp(config: Config, app: App): readonly Pair[] {
  return config.environments.map((environment) => pairOf(config, app.name, environment.name));
}

/** Folders in which the files of an app lie, those of all its environments. */
export function foldersOf(config: Config, app: App): readonly string[] {
  const pairs = pairsOfApp(config, app);
  return [app.path, ...pairs.flatMap((pair) => pair.artifacts.flatMap((artifact) => artifact.roots))];
}

/**
 * The scopes of an app for the environments asked for. Faults: `target_missing` where an environment's roots hold no
 * file, `path_outside`, `file_missing` for the file of a value, or of an explicit target of an image that changes.
 */
export async function readScopes(
  tip: Tip,
  config: Config,
  app: App,
  environments: readonly string[],
  change: { readonly images: readonly ImageChange[]; readonly values: readonly ValueChange[] },
): Promise<ReadonlyMap<string, Scope>> {
  const pairs = pairsOfApp(config, app);
  const { reached, texts } = await reachAll(tip, pairs);
  const others = new Map<string, string>();
  const values = new Set(environments.flatMap((environment) => [...reached.get(environment)!.values]));
  for (const [environment, found] of reached) {
    if (environments.includes(environment)) continue;
    for (const path of found.files) {
      // charts/web/values-staging.yaml: production takes the chart's folder, and not these values
      if (found.lying.has(path) && values.has(path)) continue;
      others.set(path, `${environment} reaches it too and was not asked for`);
    }
  }
  const scopes = new Map<string, Scope>();
  for (const environment of environments) {
    const pair = pairs.find((each) => each.environment.name === environment)!;
    const found = reached.get(environment)!;
    const targets = app.targets
      .map((target) => ({ ...target, file: fill(target.file, environment) }))
      .filter((target) => tip.has(target.file) || change.images.some((image) => image.name === target.image));
    const located = change.values.map((value) => ({ ...value, file: locate(app, fill(value.file, environment)) }));
    const named = new Set([...targets, ...located].map((each) => each.file));
    if (found.files.size === 0 && named.size === 0) throw nothingThere(pair);
    const paths = new Map<string, string>();
    for (const path of new Set([...found.files, ...named])) {
      const real = await tip.follow(path);
      if (real !== null) paths.set(real, path);
      else if (named.has(path)) throw new Fault('file_missing', `${path} is not in the delivery repository`);
    }
    const files = await tip.read(paths.keys());
    scopes.set(environment, {
      files,
      shared: new Map(
        [...paths].flatMap(([real, path]) => {
          const message = named.has(path) ? undefined : (others.get(real) ?? others.get(path));
          return message === undefined ? [] : [[real, message]];
        }),
      ),
      targets,
      values: located,
      elsewhere: new Map([...texts].filter(([path]) => !files.has(path))),
      unclear: found.unclear,
    });
  }
  return scopes;
}

function nothingThere(pair: Pair): Fault {
  const roots = pair.artifacts.flatMap((artifact) => artifact.roots);
  return new Fault(
    'target_missing',
    `no file of ${pair.app.name} for ${pair.environment.name} in ${roots.join(', ')}`,
    {
      hint: 'Create the folder in the delivery repository, or name the right one in `roots` of sluice.yaml.',
    },
  );
}

function locate(app: App, file: string): string {
  const path = posix.join(app.path, file);
  const outside = file.startsWith('/') || posix.relative(app.path, path).startsWith('..');
  if (outside) throw new Fault('path_outside', `${file} is not inside ${app.path}, the path of ${app.name}`);
  return path;
}

function fill(text: string, environment: string): string {
  return text.replaceAll('{environment}', environment);
}

function textOf(content: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    return '';
  }
}
