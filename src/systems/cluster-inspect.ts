import type { ClusterInspection } from './inspection.ts';
import type { ApiAnswer, KubernetesApi } from './kubernetes-api.ts';

type InspectionPart = Pick<ClusterInspection, 'may' | 'whoAmI' | 'apiGroups' | 'definitionMade' | 'version'>;

const JSON_BODY = { 'content-type': 'application/json' };

/** What an API server tells of itself and of the credential (kubernetes.io/docs/reference/access-authn-authz). */
export function inspectApi(api: KubernetesApi): InspectionPart {
  const review = async (path: string, body: object): Promise<Readonly<Record<string, unknown>> | null> => {
    const answer = await api.post(path, JSON_BODY, JSON.stringify(body));
    if (answer.status === 403 || answer.status === 404) return null;
    return (api.json(answer) as { readonly status?: Readonly<Record<string, unknown>> }).status ?? {};
  };
  return {
    async may(resourceAttributes) {
      const status = await review('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes },
      });
      return status === null ? null : status['allowed'] === true;
    },
    async whoAmI() {
      const status = await review('/apis/authentication.k8s.io/v1/selfsubjectreviews', {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'SelfSubjectReview',
      });
      const info = status?.['userInfo'] as { username?: string; groups?: string[] } | undefined;
      return info === undefined ? null : { user: info.username ?? '', groups: info.groups ?? [] };
    },
    async apiGroups() {
      const answer = await api.read('/apis');
      const { groups = [] } = api.json(answer) as { readonly groups?: readonly { readonly name: string }[] };
      return new Set(groups.map(({ name }) => name));
    },
    async definitionMade(name) {
      const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${encodeURIComponent(name)}`;
      const answer = await api.read(path);
      if (answer.status === 403 || answer.status === 404) return null;
      const { metadata } = api.json(answer) as { readonly metadata?: { readonly creationTimestamp?: string } };
      const made = Date.parse(metadata?.creationTimestamp ?? '');
      return Number.isNaN(made) ? null : made;
    },
    async version() {
      const answer: ApiAnswer = await api.read('/version');
      return (api.json(answer) as { readonly gitVersion?: string }).gitVersion ?? 'unknown';
    },
  };
}
