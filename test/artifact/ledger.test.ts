import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeLedger, encodeLedger, entryOf, type Ledger } from '../../src/artifact/ledger.ts';

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'.split('')), minLength: length, maxLength: length });
const digest = hex(64).map((text) => `sha256:${text}`);
const ledgers: fc.Arbitrary<Ledger> = fc.record({
  version: fc.constant(1 as const),
  environment: fc.constantFrom('staging', 'production'),
  commit: hex(40),
  artifacts: fc.uniqueArray(
    fc.record({
      app: fc.constantFrom('a', 'b', 'c'),
      name: fc.constantFrom('a', 'b', 'b-db', 'c'),
      contentDigest: fc.option(digest),
      digest: fc.option(digest),
      commit: hex(40),
      evaluated: hex(40),
      roots: fc.array(fc.constantFrom('apps/a/staging', 'ä b')),
    }),
    { selector: ({ app, name }) => `${app}/${name}` },
  ),
});

describe('ledger', () => {
  test('comes back as it was written, whatever the order of its artifacts', () => {
    fc.assert(
      fc.property(ledgers, (ledger) => {
        const text = encodeLedger(ledger, '2026-11-22T00:00:00.000Z');
        const read = decodeLedger(text, ledger.environment);
        for (const entry of ledger.artifacts) expect(entryOf(read, entry.app, entry.name)).toEqual(entry);
        expect(encodeLedger({ ...ledger, artifacts: ledger.artifacts.toReversed() }, '2026-11-22T00:00:00.000Z')).toBe(
          text,
        );
      }),
    );
  });

  test.each([
    ['no JSON', '{'],
    ['another version', '{"version":2}'],
    ['a commit that is none', '{"version":1,"environment":"staging","commit":"x","artifacts":[]}'],
    ['another environment’s', `{"version":1,"environment":"production","commit":"${'0'.repeat(40)}","artifacts":[]}`],
  ])('%s is damaged', (_, text) => {
    expect(decodeLedger(text, 'staging')).toBeNull();
  });
});
