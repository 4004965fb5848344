#!/bin/sh
# Pushes charts/greeter under its version, as `helm package` and `helm push` do; a version that is there stays.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$(sed -n 's/^version: *//p' charts/greeter/Chart.yaml)
reference=$CI_REGISTRY_IMAGE/charts/greeter:$version
printf '%s' "$CI_REGISTRY_PASSWORD" | oras login --username "$CI_REGISTRY_USER" --password-stdin --registry-config "$work/auth.json" "$CI_REGISTRY" >/dev/null
if oras manifest fetch --registry-config "$work/auth.json" --descriptor "$reference" >/dev/null 2>&1; then
  echo "$reference is there"
  exit 0
fi
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -czf "$work/chart.tgz" -C charts greeter
printf '{"apiVersion":"v2","name":"greeter","version":"%s"}' "$version" > "$work/config.json"
cd "$work"
oras push --registry-config "$work/auth.json" --config config.json:application/vnd.cncf.helm.config.v1+json \
  "$reference" chart.tgz:application/vnd.cncf.helm.chart.content.v1.tar+gzip >/dev/null
echo "pushed $reference"
