import type { GitLabServer } from '../gitlab/handle.ts';
import { gitlabMediaTypes } from './media-types.ts';
import type { RegistryOptions } from './server.ts';

/**
 * GitLab's container registry: takes its tokens and media types alone. Tokens are asked for at `localhost`, the one
 * name that every client reaches without TLS.
 */
export function gitlabRegistry(auth: GitLabServer['registryAuth']): RegistryOptions {
  return {
    auth: {
      realm: auth.realm.replace('127.0.0.1', 'localhost'),
      service: auth.service,
      verify: (token) => auth.verify(token)?.access ?? null,
    },
    allowedMediaTypes: gitlabMediaTypes,
  };
}
