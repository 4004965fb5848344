# syntax=docker/dockerfile:1
ARG NODE_IMAGE=docker.io/library/node:26-bookworm-slim
ARG ORAS_IMAGE=ghcr.io/oras-project/oras:v1.3.3
ARG KUSTOMIZE_IMAGE=registry.k8s.io/kustomize/kustomize:v5.8.1

FROM ${ORAS_IMAGE} AS oras
FROM ${KUSTOMIZE_IMAGE} AS kustomize

FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN node scripts/build.ts

FROM ${NODE_IMAGE}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="sluice" \
      org.opencontainers.image.description="GitOps delivery with GitLab and Flux" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
RUN apt-get update \
 && apt-get install -y --no-install-recommends git ca-certificates \
 && rm -rf /var/lib/apt/lists/*
COPY --from=oras /bin/oras /usr/local/bin/oras
COPY --from=kustomize /app/kustomize /usr/local/bin/kustomize
COPY --from=build /build/dist /usr/local/lib/sluice
RUN printf '#!/bin/sh\nexec node /usr/local/lib/sluice/sluice.js "$@"\n' > /usr/local/bin/sluice \
 && chmod 0755 /usr/local/bin/sluice /usr/local/bin/oras /usr/local/bin/kustomize \
 && chmod -R a+rX /usr/local/lib/sluice
USER 1000:1000
WORKDIR /tmp
CMD ["sluice", "--help"]
