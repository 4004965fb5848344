import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import { binaryPath } from '../../scripts/binaries.mjs';
import { startRegistry, type RegistryOptions, type RegistryServer } from '../../sandbox/registry/server.ts';
import { publish, type Published, type PublishInput } from '../../src/artifact/publish.ts';
import type { PublishedArtifact } from '../../src/artifact/published.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { allPairs, ledgerRepository } from '../../src/config/pair.ts';
import { systemClock } from '../../src/systems/clock-system.ts';
import { localFiles } from '../../src/systems/files-local.ts';
import { openRepository } from '../../src/systems/git-local.ts';
import type { Http } from '../../src/systems/http.ts';
import { fetchHttp } from '../../src/systems/http-fetch.ts';
import { connectKustomize } from '../../src/systems/kustomize-cli.ts';
import { runProcesses } from '../../src/systems/process-run.ts';
import type { RegistryCredential } from '../../src/systems/registry-credentials.ts';
import { connectRegistry } from '../../src/systems/registry-http.ts';
import type { Signer } from '../../src/systems/signer.ts';
import { gitFolder, type GitFolder } from '../doubles/git-folder.ts';

/** PATH with the real oras and kustomize. */
export const toolPath = [...['oras', 'kustomize'].map((name) => dirname(binaryPath(name))), process.env['PATH']].join(
  ':',
);

/** A delivery repository, a registry, and `publish` between them. */
export interface Publishing extends AsyncDisposable {
  readonly git: GitFolder;
  readonly registry: RegistryServer;
  /** Where temporary files go. */
  readonly temporary: string;
  /** Commits files on main; answers the commit. */
  commit(files: Parameters<GitFolder['commit']>[1], options?: Parameters<GitFolder['commit']>[2]): Promise<string>;
  publish(
    sha: string,
    more?: Partial<PublishInput> & {
      readonly config?: string;
      readonly now?: number;
      readonly folder?: string;
      readonly signer?: Signer;
    },
  ): Promise<Published>;
  readonly notices: string[];
}

export const config = `version: 1
environments:
  staging: {clusters: [{name: staging, agent: "shop/agents:staging"}]}
  production: {promote_from: staging, clusters: [{name: prod, agent: "shop/agents:prod"}]}
apps:
  podinfo: {project: shop/podinfo}
`;

/** With a second app. */
export const bothApps = `${config}  web: {project: shop/web}\n`;

export async function publishing(
  options: RegistryOptions & {
    /** Milliseconds that a request may take; default: as the product has it. */
    readonly timeoutMs?: number;
    readonly credentials?: (host: string) => readonly RegistryCredential[];
    /** Another registry than the simulated one. */
    readonly host?: string;
  } = {},
): Promise<Publishing> {
  const registry = await startRegistry(options);
  const git = await gitFolder();
  const folder = await git.bare('delivery.git');
  const processes = runProcesses({ ...process.env, PATH: toolPath });
  const temporary = join(git.path, 'temporary');
  await mkdir(temporary);
  const files = localFiles(git.path, temporary);
  const clock = { ...systemClock(), sleep: async () => {} };
  const fetching = fetchHttp();
  const { timeoutMs } = options;
  const http: Http = timeoutMs ? { request: (url, more) => fetching.request(url, { ...more, timeoutMs }) } : fetching;
  const notices: string[] = [];
  return {
    git,
    registry,
    temporary,
    notices,
    commit: (content, more) => git.commit('delivery.git', content, more),
    async publish(sha, more = {}) {
      const base = `${options.host ?? registry.host}/shop/delivery`;
      const parsed = parseConfig(more.config ?? config, 'sluice.yaml');
      const items = allPairs(parsed, base).flatMap((pair) => pair.artifacts.map((artifact) => ({ pair, artifact })));
      const repository = await openRepository({ folder: more.folder ?? folder, processes });
      const credentials = options.credentials?.(registry.host) ?? [];
      const systems = {
        git: repository,
        registry: more.layoutFolder ? null : connectRegistry({ http, processes, files, clock, credentials }),
        signer: more.signer ?? null,
        kustomize: connectKustomize({ processes }),
        files,
        clock: more.now === undefined ? clock : { ...clock, now: () => more.now ?? 0 },
      };
      return publish(systems, {
        items,
        project: 'shop/delivery',
        branch: 'main',
        sha,
        source: 'https://gitlab.example.com/shop/delivery',
        ledgerRepository: ledgerRepository(base),
        dryRun: false,
        layoutFolder: null,
        override: null,
        deployFreeze: false,
        limits: { files: 1000, bytes: 1e8 },
        parallel: 4,
        notice: (text) => notices.push(text),
        ...more,
      });
    },
    async [Symbol.asyncDispose]() {
      await registry.stop();
      await git[Symbol.asyncDispose]();
    },
  };
}

/** A kustomize overlay of a small app. */
export function overlay(app: string, environment: string, tag = '1.0.0'): Record<string, string> {
  return {
    [`apps/${app}/base/kustomization.yaml`]: 'resources: [deployment.yaml]\n',
    [`apps/${app}/base/deployment.yaml`]: `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: ${app}}\nspec:\n  template:\n    spec: {containers: [{name: app, image: registry.example.com/${app}}]}\n`,
    [`apps/${app}/${environment}/kustomization.yaml`]: `resources: [../base]\nimages:\n- {name: registry.example.com/${app}, newTag: "${tag}"}\n`,
  };
}

/** The first artifact of a publication. */
export function firstOf(published: Published): PublishedArtifact {
  const [first] = published.publication.artifacts;
  if (!first) throw new Error('nothing was published');
  return first;
}

/** Files of the artifact under a tag: path → text. */
export async function filesOf(world: Publishing, tag = 'staging', name = 'podinfo'): Promise<Record<string, string>> {
  const manifest = world.registry.manifest(`shop/delivery/${name}`, tag);
  const { layers } = JSON.parse(Buffer.from(manifest?.content ?? []).toString());
  const layer = world.registry.blob(`shop/delivery/${name}`, layers[0].digest);
  const entries = await unpackTar(gunzipSync(layer ?? new Uint8Array()));
  return Object.fromEntries(
    entries
      .filter((entry) => entry.header.type === 'file')
      .map((entry) => [entry.header.name, Buffer.from(entry.data ?? []).toString()]),
  );
}
