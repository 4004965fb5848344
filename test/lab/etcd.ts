import { join } from 'node:path';
import { binaryPath } from '../../scripts/binaries.mjs';
import type { connectChildren } from './children.ts';

/** What every program of the stack is started with. */
export interface StartOptions {
  readonly children: ReturnType<typeof connectChildren>;
  /** Folder of the stack. */
  readonly folder: string;
}

/** Starts etcd without fsync on loopback; returns its client address and the running program. */
export function startEtcd(
  { children, folder }: StartOptions,
  ports: { readonly client: number; readonly peer: number },
) {
  const client = `http://127.0.0.1:${ports.client}`;
  const peer = `http://127.0.0.1:${ports.peer}`;
  const child = children.start('etcd', binaryPath('etcd'), [
    '--data-dir',
    join(folder, 'etcd'),
    '--unsafe-no-fsync',
    '--log-level=warn',
    '--listen-client-urls',
    client,
    '--advertise-client-urls',
    client,
    '--listen-peer-urls',
    peer,
    '--initial-advertise-peer-urls',
    peer,
    '--initial-cluster',
    `default=${peer}`,
  ]);
  return { child, client };
}
