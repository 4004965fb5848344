import type { ClusterObject } from '../handle.ts';
import { at, list, text } from '../store/object.ts';
import { qualified, StatusError } from '../store/status-error.ts';
import type { Resource } from '../store/kinds.ts';
import type { Store } from '../store/store.ts';

/** Who asks. */
export interface User {
  readonly name: string;
  readonly groups: readonly string[];
}

/** What is asked for, as RBAC sees it. */
interface Attributes {
  readonly verb: string;
  readonly group: string;
  /** `services/proxy` for subresources. */
  readonly resource: string;
  readonly namespace: string | null;
  readonly name: string | null;
}

export interface Authorizer {
  isAllowed(user: User, attributes: Attributes): boolean;
  /** Throws the API server's 403. */
  demand(user: User, attributes: Attributes): void;
  /** /version, /apis and the like: open to whoever is known, /version and /healthz to all. */
  demandPath(user: User, verb: string, path: string): void;
}

const has = (values: unknown, wanted: string) => list(values).some((value) => value === '*' || value === wanted);

function covers(rule: unknown, asked: Attributes): boolean {
  const [plural = '', subresource] = asked.resource.split('/');
  const names = list(at(rule, 'resourceNames'));
  return (
    has(at(rule, 'verbs'), asked.verb) &&
    has(at(rule, 'apiGroups'), asked.group) &&
    list(at(rule, 'resources')).some(
      (one) =>
        one === '*' ||
        one === asked.resource ||
        (subresource !== undefined && one === `*/${subresource}`) ||
        (subresource === undefined && one === plural),
    ) &&
    (names.length === 0 || (asked.name !== null && names.includes(asked.name)))
  );
}

function isSubject(subject: unknown, user: User, bindingNamespace: string | undefined): boolean {
  const name = text(at(subject, 'name'));
  switch (at(subject, 'kind')) {
    case 'User':
      return name === user.name;
    case 'Group':
      return user.groups.includes(name);
    case 'ServiceAccount':
      return (
        user.name === `system:serviceaccount:${text(at(subject, 'namespace')) || (bindingNamespace ?? '')}:${name}`
      );
    default:
      return false;
  }
}

/** The API server's text for a 403. */
function forbiddenText(user: User, asked: Attributes): string {
  const [plural = '', subresource] = asked.resource.split('/');
  const subject = qualified({ group: asked.group, plural });
  const where = asked.namespace === null ? 'at the cluster scope' : `in the namespace "${asked.namespace}"`;
  const named = asked.name === null ? subject : `${subject} "${asked.name}"`;
  const what = subresource === undefined ? plural : `${plural}/${subresource}`;
  return `${named} is forbidden: User "${user.name}" cannot ${asked.verb} resource "${what}" in API group "${asked.group}" ${where}`;
}

/** RBAC over the Roles and bindings that stand in the store; `system:masters` may do everything. */
export function createAuthorizer(store: Store): Authorizer {
  const kind = (name: string) => store.kinds.byKind('rbac.authorization.k8s.io/v1', name) as Resource;

  function rulesOf(binding: ClusterObject): readonly unknown[] {
    const name = text(at(binding, 'roleRef', 'name'));
    const isCluster = at(binding, 'roleRef', 'kind') === 'ClusterRole';
    if (isCluster && name === 'cluster-admin') {
      return [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }];
    }
    const role = store.find(kind(isCluster ? 'ClusterRole' : 'Role'), binding.metadata.namespace ?? null, name);
    return list(at(role, 'rules'));
  }

  function isAllowed(user: User, asked: Attributes): boolean {
    if (user.groups.includes('system:masters')) return true;
    const local = asked.namespace === null ? [] : store.list(kind('RoleBinding'), asked.namespace);
    return [...store.list(kind('ClusterRoleBinding')), ...local].some(
      (binding) =>
        list(binding['subjects']).some((subject) => isSubject(subject, user, binding.metadata.namespace)) &&
        rulesOf(binding).some((rule) => covers(rule, asked)),
    );
  }

  return {
    isAllowed,
    demand: (user, asked) => {
      if (isAllowed(user, asked)) return;
      throw new StatusError(403, 'Forbidden', forbiddenText(user, asked), {
        ...(asked.name === null ? {} : { name: asked.name }),
        group: asked.group,
        kind: asked.resource.split('/')[0],
      });
    },
    demandPath: (user, verb, path) => {
      if (/^\/(version|healthz|livez|readyz)\b/.test(path)) return;
      if (user.groups.includes('system:masters')) return;
      if (user.groups.includes('system:authenticated') && /^\/(apis?|openapi)\b/.test(path)) return;
      throw new StatusError(403, 'Forbidden', `forbidden: User "${user.name}" cannot ${verb} path "${path}"`, {});
    },
  };
}
