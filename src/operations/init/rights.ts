import type { NewObject } from './flux-objects.ts';

const RBAC = 'rbac.authorization.k8s.io';
const READ = ['get', 'list', 'watch'];
const SOURCE = 'source.toolkit.fluxcd.io';

/** Whom the roles are bound to: jobs of a project's environment (GitLab Premium), or the agent that jobs act as. */
export type Subject =
  | { readonly kind: 'Group'; readonly name: string }
  | { readonly kind: 'ServiceAccount'; readonly name: string; readonly namespace: string };

/** The least rights that sluice needs in a cluster, bound to subjects. `receiver`: through the API server's service proxy. */
export function rightsObjects(
  subjects: readonly Subject[],
  receiver: { readonly namespace: string } | null,
): readonly NewObject[] {
  const roles: readonly NewObject[] = [
    {
      apiVersion: `${RBAC}/v1`,
      kind: 'ClusterRole',
      metadata: { name: 'sluice-watch' },
      rules: [
        { apiGroups: [SOURCE], resources: ['ocirepositories', 'gitrepositories', 'helmcharts'], verbs: READ },
        { apiGroups: ['kustomize.toolkit.fluxcd.io'], resources: ['kustomizations'], verbs: READ },
        { apiGroups: ['helm.toolkit.fluxcd.io'], resources: ['helmreleases'], verbs: READ },
        { apiGroups: ['notification.toolkit.fluxcd.io'], resources: ['receivers'], verbs: READ },
        { apiGroups: ['apps'], resources: ['deployments', 'statefulsets', 'daemonsets', 'replicasets'], verbs: READ },
        { apiGroups: ['batch'], resources: ['jobs'], verbs: READ },
        { apiGroups: [''], resources: ['pods', 'events'], verbs: READ },
      ],
    },
    {
      apiVersion: `${RBAC}/v1`,
      kind: 'ClusterRole',
      metadata: { name: 'sluice-notify' },
      rules: [{ apiGroups: [SOURCE], resources: ['ocirepositories', 'gitrepositories'], verbs: ['patch'] }],
    },
  ];
  const proxy: readonly NewObject[] =
    receiver === null
      ? []
      : [
          {
            apiVersion: `${RBAC}/v1`,
            kind: 'Role',
            metadata: { name: 'sluice-receiver', namespace: receiver.namespace },
            rules: [
              {
                apiGroups: [''],
                resources: ['services/proxy'],
                resourceNames: ['http:webhook-receiver:80'],
                verbs: ['create'],
              },
            ],
          },
          {
            apiVersion: `${RBAC}/v1`,
            kind: 'RoleBinding',
            metadata: { name: 'sluice-receiver', namespace: receiver.namespace },
            roleRef: { apiGroup: RBAC, kind: 'Role', name: 'sluice-receiver' },
            subjects: subjects.map(subjectObject),
          },
        ];
  return [...roles, ...['sluice-watch', 'sluice-notify'].map((name) => binding(name, subjects)), ...proxy];
}

function binding(name: string, subjects: readonly Subject[]): NewObject {
  return {
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name },
    subjects: subjects.map(subjectObject),
  };
}

function subjectObject(subject: Subject): NewObject {
  return subject.kind === 'Group' ? { apiGroup: RBAC, ...subject } : { ...subject };
}
