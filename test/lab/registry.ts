import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { binaryPath } from '../../scripts/binaries.mjs';
import type { StartOptions } from './etcd.ts';
import { until } from './until.ts';

/** How the registry asks for credentials: the `auth` part of its configuration, e.g. {token: {realm, service, issuer, jwks}}. */
export type RegistryAuth = Readonly<Record<string, unknown>>;

/** Starts the CNCF distribution registry with storage below the stack's folder; `ready` resolves when /v2/ answers. */
export function startRegistry({ children, folder }: StartOptions, name: string, port: number, auth?: RegistryAuth) {
  const host = `127.0.0.1:${port}`;
  const storage = join(folder, name);
  mkdirSync(storage, { recursive: true });
  const file = join(folder, `${name}.yaml`);
  const config = {
    version: 0.1,
    log: { level: 'info', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: storage },
      delete: { enabled: true },
      maintenance: { uploadpurging: { enabled: false } },
    },
    http: { addr: host, secret: randomBytes(8).toString('hex') },
    ...(auth ? { auth } : {}),
  };
  writeFileSync(file, stringify(config), { mode: 0o600 });
  const child = children.start(name, binaryPath('registry'), ['serve', file], { OTEL_TRACES_EXPORTER: 'none' });
  const ready = () =>
    until('the registry', async () => {
      child.check();
      const { status } = await fetch(`http://${host}/v2/`);
      return status === 200 || status === 401;
    });
  return { child, host, storage, ready };
}
