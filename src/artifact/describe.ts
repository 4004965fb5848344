/** Flux's media types; GitLab's registry takes no invented ones. */
export const mediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.cncf.flux.config.v1+json',
  content: 'application/vnd.cncf.flux.content.v1.tar+gzip',
} as const;

/** Names of the annotations that sluice writes and reads. */
export const annotationNames = {
  created: 'org.opencontainers.image.created',
  source: 'org.opencontainers.image.source',
  revision: 'org.opencontainers.image.revision',
  title: 'org.opencontainers.image.title',
  contentDigest: 'app.sluice.content-digest',
} as const;

/** What is said about an artifact. */
export interface Description {
  /** Artifact name. */
  readonly title: string;
  /** `<branch>@sha1:<40 hex>` */
  readonly revision: string;
  /** Address of the delivery repository. */
  readonly source: string;
  /** Commit time, seconds since the epoch: a rebuild of a commit gives the same manifest digest. */
  readonly createdAt: number;
  /** sha256 of the uncompressed tar. */
  readonly contentDigest: string;
}

/** RFC 3339 in UTC, whole seconds. */
function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

/** The config blob, in the shape that Flux's own CLI writes. */
export function describeConfig(description: Description): string {
  return JSON.stringify({
    architecture: '',
    created: formatTime(description.createdAt),
    os: '',
    rootfs: { type: 'layers', diff_ids: [description.contentDigest] },
    config: {},
  });
}

/** The image manifest: one layer, keys in a fixed order. */
export function describeManifest(
  description: Description,
  config: { readonly digest: string; readonly size: number },
  layer: { readonly digest: string; readonly size: number },
): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, size: config.size, digest: config.digest },
    layers: [{ mediaType: mediaTypes.content, size: layer.size, digest: layer.digest }],
    annotations: annotations(description),
  });
}

/** The manifest's annotations, sorted by name. */
function annotations(description: Description): Readonly<Record<string, string>> {
  return {
    [annotationNames.contentDigest]: description.contentDigest,
    [annotationNames.created]: formatTime(description.createdAt),
    [annotationNames.revision]: description.revision,
    [annotationNames.source]: description.source,
    [annotationNames.title]: description.title,
  };
}
