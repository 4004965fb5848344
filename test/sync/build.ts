import type { Origin } from '../../src/app/change.ts';
import type { PublishedArtifact } from '../../src/artifact/published.ts';
import { parseConfig } from '../../src/config/parse.ts';
import type { Config } from '../../src/config/config.ts';

/** A sluice.yaml with two environments (staging on two clusters with `wide`), parsed. */
export function configOf(options: { readonly apps?: readonly string[]; readonly wide?: boolean } = {}): Config {
  const apps = options.apps ?? ['podinfo'];
  const clusters = options.wide
    ? '[{ name: eu, context: "k:eu" }, { name: us, context: "k:us" }]'
    : '[{ name: eu, context: "k:eu" }]';
  const text = [
    'version: 1',
    'environments:',
    `  staging: { clusters: ${clusters} }`,
    '  production: { promote_from: staging, clusters: [{ name: prod, context: "k:prod" }] }',
    'apps:',
    ...apps.map((app) => `  ${app}: { project: shop/${app} }`),
    '',
  ].join('\n');
  return parseConfig(text, 'sluice.yaml');
}

/** An artifact as publish hands it over. */
export function artifactOf(more: Partial<PublishedArtifact> = {}): PublishedArtifact {
  const app = more.app ?? 'podinfo';
  return {
    app,
    artifact: app,
    environment: 'staging',
    repository: `registry.test/platform/delivery/${app}`,
    tags: ['staging'],
    digest: `sha256:${'1'.repeat(64)}`,
    contentDigest: `sha256:${'2'.repeat(64)}`,
    revision: `main@sha1:${'d'.repeat(40)}`,
    source: 'oci',
    outcome: 'pushed',
    reason: 'content changed',
    origins: [],
    ...more,
  };
}

/** An origin in shop/podinfo. */
export function originOf(more: Partial<Origin> = {}): Origin {
  return { project: 'shop/podinfo', commit: 'a'.repeat(40), ref: 'main', pipeline: 11, ...more };
}
