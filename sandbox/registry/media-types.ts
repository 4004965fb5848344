/**
 * Media types that GitLab's container registry takes (its metadata database holds a fixed list; anything else is
 * refused with 400 MANIFEST_INVALID "unknown media type: …", gitlab.com/gitlab-org/container-registry issue 951).
 * A part of the list: images, Helm charts, Flux, cosign.
 */
export const gitlabMediaTypes: readonly string[] = [
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.container.image.v1+json',
  'application/vnd.docker.image.rootfs.diff.tar.gzip',
  'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.oci.empty.v1+json',
  'application/vnd.oci.image.layer.v1.tar',
  'application/vnd.oci.image.layer.v1.tar+gzip',
  'application/vnd.oci.image.layer.v1.tar+zstd',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  'application/vnd.cncf.helm.config.v1+json',
  'application/vnd.cncf.helm.chart.content.v1.tar+gzip',
  'application/vnd.cncf.helm.chart.provenance.v1.prov',
  'application/vnd.cncf.flux.config.v1+json',
  'application/vnd.cncf.flux.content.v1.tar+gzip',
  'application/vnd.dev.cosign.simplesigning.v1+json',
  'application/vnd.dsse.envelope.v1+json',
];
