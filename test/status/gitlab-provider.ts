import type { ClusterObject } from '../../sandbox/cluster/handle.ts';
import type { GitLabServer } from '../../sandbox/gitlab/handle.ts';

/** Flux's own way to tell GitLab: a Provider for the delivery project and an Alert for all Kustomizations. */
export function gitlabProvider(gitlab: GitLabServer): readonly ClusterObject[] {
  const metadata = { name: 'gitlab', namespace: 'flux-system' };
  const { token } = gitlab.createToken('team/delivery', { name: 'flux', scopes: ['api'], accessLevel: 40 });
  return [
    { apiVersion: 'v1', kind: 'Secret', metadata, stringData: { token } },
    {
      apiVersion: 'notification.toolkit.fluxcd.io/v1beta3',
      kind: 'Provider',
      metadata,
      spec: { type: 'gitlab', address: `${gitlab.url}/team/delivery`, secretRef: { name: 'gitlab' } },
    },
    {
      apiVersion: 'notification.toolkit.fluxcd.io/v1beta3',
      kind: 'Alert',
      metadata,
      spec: {
        providerRef: { name: 'gitlab' },
        eventSeverity: 'info',
        eventSources: [{ kind: 'Kustomization', name: '*' }],
      },
    },
  ];
}
