# syntax=docker/dockerfile:1
ARG NODE_IMAGE=docker.io/library/node:26-bookworm-slim
ARG ORAS_IMAGE=ghcr.io/oras-project/oras:v1.3.3
ARG KUSTOMIZE_IMAGE=registry.k8s.io/kustomize/kustomize:v5.8.1
# Further tools, by the image that holds them, e.g. ghcr.io/sigstore/cosign/cosign:v3.0.6, docker.io/alpine/helm:3.19.0,
# ghcr.io/yannh/kubeconform:v0.7.0. The base image holds none of them.
ARG COSIGN_IMAGE=${NODE_IMAGE}
ARG HELM_IMAGE=${NODE_IMAGE}
ARG KUBECONFORM_IMAGE=${NODE_IMAGE}

FROM ${ORAS_IMAGE} AS oras
FROM ${KUSTOMIZE_IMAGE} AS kustomize
FROM ${COSIGN_IMAGE} AS cosign
FROM ${HELM_IMAGE} AS helm
FROM ${KUBECONFORM_IMAGE} AS kubeconform

FROM ${NODE_IMAGE} AS tools
ARG NODE_IMAGE
ARG COSIGN_IMAGE
ARG HELM_IMAGE
ARG KUBECONFORM_IMAGE
COPY --from=oras /bin/oras /tools/oras
COPY --from=kustomize /app/kustomize /tools/kustomize
RUN --mount=type=bind,from=cosign,source=/,target=/run/tools/cosign \
    --mount=type=bind,from=helm,source=/,target=/run/tools/helm \
    --mount=type=bind,from=kubeconform,source=/,target=/run/tools/kubeconform \
    set -eu; \
    take() { \
      [ "$2" != "$NODE_IMAGE" ] || return 0; \
      for place in "ko-app/$1" "usr/local/bin/$1" "usr/bin/$1" "bin/$1" "$1"; do \
        if [ -f "/run/tools/$1/$place" ]; then cp "/run/tools/$1/$place" "/tools/$1"; return 0; fi; \
      done; \
      echo "$2 holds no $1" >&2; return 1; \
    }; \
    take cosign "$COSIGN_IMAGE"; take helm "$HELM_IMAGE"; take kubeconform "$KUBECONFORM_IMAGE"; \
    chmod 0755 /tools/*

FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN node scripts/build.ts \
 && npm sbom --sbom-format=cyclonedx > npm.cdx.json

FROM ${NODE_IMAGE}
ARG NODE_IMAGE
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="sluice" \
      org.opencontainers.image.description="GitOps delivery with GitLab and Flux" \
      org.opencontainers.image.source="https://gitlab.com/sluice/sluice" \
      org.opencontainers.image.documentation="https://gitlab.com/sluice/sluice/-/tree/main/docs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${NODE_IMAGE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN apt-get update \
 && apt-get install -y --no-install-recommends git ca-certificates \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/*.log /var/log/apt
COPY --from=tools /tools/ /usr/local/bin/
COPY --from=build /build/dist /usr/local/lib/sluice
RUN --mount=type=bind,from=build,source=/build,target=/run/build \
    printf '#!/bin/sh\nexec node /usr/local/lib/sluice/sluice.js "$@"\n' > /usr/local/bin/sluice \
 && chmod 0755 /usr/local/bin/sluice \
 && node /run/build/scripts/precompile.ts /usr/local/lib/sluice 1000 \
 && chmod -R a+rX /usr/local/lib/sluice \
 && node /run/build/scripts/sbom.ts /run/build/npm.cdx.json /usr/local/lib/sluice/packages.json "$VERSION" /usr/local/lib/sluice/sbom.cdx.json
USER 1000:1000
WORKDIR /tmp
CMD ["sluice", "--help"]
