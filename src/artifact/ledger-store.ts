import { gunzipSync } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import type { Files } from '../systems/files.ts';
import type { Registry } from '../systems/registry.ts';
import { writeLayout } from './layout.ts';
import { decodeLedger, encodeLedger, ledgerFile, type Ledger } from './ledger.ts';

/** A ledger as it was read. */
export interface LedgerReading {
  readonly ledger: Ledger | null;
  /** Manifest digest that the ledger's tag had; null where there was none. */
  readonly digest: string | null;
  readonly state: 'read' | 'missing' | 'damaged';
}

/** Reads an environment's ledger: two requests. Faults of `Registry`. */
export async function readLedger(
  registry: Registry,
  repository: string,
  environment: string,
  signal?: AbortSignal,
): Promise<LedgerReading> {
  const manifest = await registry.manifest(repository, environment, signal);
  if (!manifest) return { ledger: null, digest: null, state: 'missing' };
  const damaged = { ledger: null, digest: manifest.digest, state: 'damaged' } as const;
  const [layer] = manifest.layers;
  const blob = layer && layer.size < 64 * 1024 * 1024 ? await registry.blob(repository, layer.digest, signal) : null;
  if (!blob) return damaged;
  try {
    const entries = await unpackTar(gunzipSync(blob));
    const file = entries.find((entry) => entry.header.name === ledgerFile);
    const ledger = decodeLedger(Buffer.from(file?.data ?? []).toString(), environment);
    return ledger ? { ledger, digest: manifest.digest, state: 'read' } : damaged;
  } catch {
    return damaged;
  }
}

/** Writes an environment's ledger, as a Flux artifact of one file. Faults of `Registry`. */
export async function writeLedger(
  systems: { readonly registry: Registry; readonly files: Files },
  repository: string,
  ledger: Ledger,
  about: { readonly revision: string; readonly source: string; readonly createdAt: number },
  /** Milliseconds since the epoch. */
  now: number,
  signal?: AbortSignal,
): Promise<void> {
  await using folder = await systems.files.temporary('sluice-ledger-');
  const content = Buffer.from(encodeLedger(ledger, new Date(now).toISOString()));
  const file = { path: ledgerFile, executable: false, content };
  await writeLayout(systems.files, folder.path, [file], { title: 'ledger', ...about }, [ledger.environment]);
  await systems.registry.push(folder.path, ledger.environment, repository, [ledger.environment], signal);
}
