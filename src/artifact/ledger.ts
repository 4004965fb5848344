import { z } from 'zod';

const commit = z.string().regex(/^[0-9a-f]{40}$/);
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);

const Ledger = z.object({
  version: z.literal(1),
  environment: z.string(),
  /** The newest commit that was evaluated. */
  commit,
  artifacts: z.array(
    z.object({
      app: z.string(),
      name: z.string(),
      /** null: owed, never published yet. */
      contentDigest: digest.nullable(),
      /** Manifest digest under the moving tag; null with `source: git`. */
      digest: digest.nullable(),
      /** The commit that the content was published from. */
      commit,
      /** The last commit whose content was compared with it: later ones still owe their origins an answer. */
      evaluated: commit,
      /** Folders that Flux built then. */
      roots: z.array(z.string()).default([]),
    }),
  ),
});

/** One artifact in the ledger. */
export type LedgerEntry = Readonly<z.infer<typeof Ledger>['artifacts'][number]>;

/** What stands in one environment: written by publish alone, last. */
export interface Ledger {
  readonly version: 1;
  readonly environment: string;
  readonly commit: string;
  readonly artifacts: readonly LedgerEntry[];
}

/** Name of the file in the ledger's artifact. */
export const ledgerFile = 'ledger.json';

/**
 * The ledger as JSON text with a fixed order. `writtenAt` makes each writing differ: where a registry has lost a blob, the
 * same bytes would be taken for present and never be repaired.
 */
export function encodeLedger(ledger: Ledger, writtenAt = ''): string {
  const artifacts = ledger.artifacts
    .toSorted((a, b) => compare(a.app, b.app) || compare(a.name, b.name))
    .map(({ app, name, contentDigest, digest: of, commit: from, evaluated, roots }) => {
      return { app, name, contentDigest, digest: of, commit: from, evaluated, roots };
    });
  return `${JSON.stringify({ version: 1, environment: ledger.environment, commit: ledger.commit, writtenAt, artifacts }, null, 1)}\n`;
}

/** Reads a ledger of this environment; null where the text is damaged or another's. */
export function decodeLedger(text: string, environment: string): Ledger | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const { data } = Ledger.safeParse(value);
  return data?.environment === environment ? data : null;
}

/** The entry of one artifact. */
export function entryOf(ledger: Ledger | null, app: string, name: string): LedgerEntry | undefined {
  return ledger?.artifacts.find((entry) => entry.app === app && entry.name === name);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
