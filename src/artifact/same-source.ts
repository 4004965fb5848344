import type { Pair } from '../config/config.ts';
import { mayBeSameSource } from '../manifest/reach.ts';
import type { SourceDefinition, SourceRef } from '../manifest/reach-flux.ts';

/**
 * Does a Flux object of this artifact take its files from the artifact (or, with `source: git`, from the delivery
 * repository)? A source that is defined among the files is compared by the last name of its URL, since hosts differ
 * between inside and outside; one that is not may be the same.
 */
export function sameSourceOf(
  repository: string,
  project: string,
): (ref: SourceRef, definition: SourceDefinition | null) => boolean {
  return (ref, definition) => {
    if (!mayBeSameSource(ref)) return false;
    if (!definition) return true;
    return lastName(definition.url) === lastName(definition.kind === 'GitRepository' ? project : repository);
  };
}

/** One artifact of a pair. */
export type PairArtifact = Pair['artifacts'][number];

function lastName(address: string): string {
  return (
    address
      .replace(/\/+$/, '')
      .replace(/\.git$/, '')
      .split(/[/:]/)
      .at(-1) ?? ''
  );
}
