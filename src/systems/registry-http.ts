import { createHash } from 'node:crypto';
import { Fault } from '../fault.ts';
import type { Clock } from './clock.ts';
import type { Files } from './files.ts';
import type { Http, HttpAnswer } from './http.ts';
import { connectOras } from './oras.ts';
import type { Processes } from './process.ts';
import type { RegistryCredential } from './registry-credentials.ts';
import { registryRequest, registryWords } from './registry-request.ts';
import type { Registry, RegistryManifest } from './registry.ts';

const MANIFESTS = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');

/** Registries: reads in this process, pushes by the ORAS CLI. See `Registry` for faults. */
export function connectRegistry(options: {
  readonly http: Http;
  readonly processes: Processes;
  readonly files: Files;
  readonly clock: Clock;
  /** Host by host; hosts without one are asked anonymously. */
  readonly credentials: readonly RegistryCredential[];
}): Registry {
  const ask = registryRequest(options);
  return {
    ...connectOras(options),
    async manifest(repository, reference, signal) {
      const check = (answer: HttpAnswer) => {
        if (answer.status === 200) parse(answer, reference);
      };
      const path = `manifests/${reference}`;
      const answer = await ask({ repository, path, accept: MANIFESTS, signal, check });
      return answer.status === 404 ? null : parse(answer, reference);
    },
    async resolve(repository, reference, signal) {
      const path = `manifests/${reference}`;
      const answer = await ask({ repository, path, method: 'HEAD', accept: MANIFESTS, signal });
      if (answer.status === 404) return null;
      const digest = answer.headers.get('docker-content-digest') ?? '';
      if (/^sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})$/.test(digest)) return digest;
      const check = (found: HttpAnswer) => {
        if (found.status === 200) parse(found, reference);
      };
      const whole = await ask({ repository, path, accept: MANIFESTS, signal, check });
      return whole.status === 404 ? null : digestOf(whole.body);
    },
    async blob(repository, digest, signal) {
      const check = (found: HttpAnswer) => {
        if (found.status === 200 && digestOf(found.body) !== digest) throw new Error(`gave other bytes than ${digest}`);
      };
      const answer = await ask({ repository, path: `blobs/${digest}`, signal, check });
      return answer.status === 404 ? null : answer.body;
    },
    async tags(repository, signal) {
      const tags: string[] = [];
      for (let path: string | undefined = 'tags/list?n=1000'; path !== undefined;) {
        const answer = await ask({ repository, path, signal });
        if (answer.status === 404) return [];
        const page = (JSON.parse(Buffer.from(answer.body).toString()) as { tags?: string[] | null }).tags ?? [];
        tags.push(...page);
        const next: string | undefined = /<([^>]+)>\s*;\s*rel="?next/.exec(answer.headers.get('link') ?? '')?.[1];
        const url: URL | undefined = next === undefined ? undefined : new URL(next, 'http://registry');
        path = page.length === 0 || url === undefined ? undefined : url.pathname + url.search;
        if (path !== undefined && !path.startsWith('/v2/')) {
          throw new Fault('registry_unavailable', `${repository}: the next page of tags is elsewhere (${path})`);
        }
      }
      return tags;
    },
    async remove(repository, reference, signal) {
      // A registry that does not remove tags answers 400 or 405 (OCI distribution-spec, "Deleting tags"); 202 is done.
      const judges = (answer: HttpAnswer) =>
        [200, 202, 204, 400, 405].includes(answer.status) || (answer.status === 403 && isRule(answer));
      const answer = await ask({ repository, path: `manifests/${reference}`, method: 'DELETE', judges, signal });
      if (answer.status === 404) return 'missing';
      if (answer.status < 300) return 'removed';
      return isRule(answer) ? 'protected' : 'unsupported';
    },
  };
}

/** Do the registry's words speak of a rule for tags? */
function isRule(answer: HttpAnswer): boolean {
  return /protected|immutable/i.test(registryWords(answer));
}

function parse(answer: HttpAnswer, reference: string): RegistryManifest {
  const digest = digestOf(answer.body);
  const said = answer.headers.get('docker-content-digest') ?? digest;
  const wanted = reference.startsWith('sha256:') ? reference : digest;
  if (said !== digest || wanted !== digest) throw new Error(`gave other bytes than ${said}`);
  const value = JSON.parse(Buffer.from(answer.body).toString()) as {
    readonly mediaType?: string;
    readonly annotations?: Record<string, string>;
    readonly config?: RegistryManifest['config'];
    readonly layers?: RegistryManifest['layers'];
  };
  return {
    digest,
    mediaType: value.mediaType ?? answer.headers.get('content-type') ?? '',
    annotations: value.annotations ?? {},
    config: value.config ?? null,
    layers: value.layers ?? [],
  };
}

function digestOf(content: Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}
