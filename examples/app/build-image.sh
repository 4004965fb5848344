#!/bin/sh
# Builds and pushes a small static image without a container engine: one layer with public/, pushed by ORAS.
# Replace it by your own build (BuildKit, buildah, ko, jib …); sluice only needs the pushed reference.
set -eu
reference=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$work/layer.tar" public
diff_id=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
gzip -n "$work/layer.tar"
printf '{"architecture":"amd64","os":"linux","config":{"Labels":{"version":"%s"}},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$(cat VERSION)" "$diff_id" > "$work/config.json"
cd "$work"
printf '%s' "$CI_REGISTRY_PASSWORD" | oras login --username "$CI_REGISTRY_USER" --password-stdin --registry-config "$work/auth.json" "$CI_REGISTRY" >/dev/null
oras push --registry-config "$work/auth.json" --config config.json:application/vnd.oci.image.config.v1+json \
  "$reference" layer.tar.gz:application/vnd.oci.image.layer.v1.tar+gzip >/dev/null
echo "pushed $reference"
