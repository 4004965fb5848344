import type { Config, Pair } from '../config/config.ts';
import { allPairs } from '../config/pair.ts';
import { parseConfig } from '../config/parse.ts';
import { Fault } from '../fault.ts';
import type { Ledger } from './ledger.ts';

/** A place in the registry that artifacts of one app and environment have, or had. */
export interface Site {
  readonly app: string;
  readonly artifact: string;
  readonly environment: string;
  readonly repository: string;
  /** The moving tag. */
  readonly tag: string;
  /** Is it in sluice.yaml now? */
  readonly live: boolean;
}

/**
 * The places of all artifacts that are in sluice.yaml now, were in one of its former texts, or are noted in a ledger.
 * `unread`: former texts that this release does not understand.
 */
export function sitesOf(options: {
  readonly config: Config;
  /** Former texts of sluice.yaml. */
  readonly former: readonly string[];
  readonly ledgers: readonly Ledger[];
  /** `host/path` for {registry}. */
  readonly registry: string;
}): { readonly sites: readonly Site[]; readonly unread: number } {
  const { config, former, ledgers, registry } = options;
  const sites = new Map<string, Site>();
  const add = (site: Site) => {
    const key = [site.app, site.artifact, site.environment, site.repository, site.tag].join('\n');
    if (!sites.has(key)) sites.set(key, site);
  };
  for (const site of allPairs(config, registry).flatMap((pair) => places(pair, true))) add(site);
  let unread = 0;
  for (const text of former) {
    try {
      for (const site of allPairs(parseConfig(text, config.file), registry).flatMap((pair) => places(pair, false))) {
        add(site);
      }
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      unread += 1;
    }
  }
  const known = new Set([...sites.values()].map((site) => [site.app, site.artifact, site.environment].join('\n')));
  for (const { environment, artifacts } of ledgers) {
    for (const { app, name, digest } of artifacts) {
      if (digest === null || known.has([app, name, environment].join('\n'))) continue;
      // Where git no longer tells the settings, the default ones are taken.
      add({ app, artifact: name, environment, repository: `${registry}/${name}`, tag: environment, live: false });
    }
  }
  return { sites: [...sites.values()], unread };
}

function places(pair: Pair, live: boolean): readonly Site[] {
  if (pair.source !== 'oci') return [];
  return pair.artifacts.map(({ name, repository }) => ({
    app: pair.app.name,
    artifact: name,
    environment: pair.environment.name,
    repository,
    tag: pair.tag,
    live,
  }));
}
