import { KubeConfig } from '@kubernetes/client-node';
import { Fault } from '../fault.ts';
import type { KubernetesObject, ResourceKind } from './cluster.ts';
import { inspectApi } from './cluster-inspect.ts';
import type { ClusterInspection } from './inspection.ts';
import { connectApi, type ApiAnswer } from './kubernetes-api.ts';
import { readWatch } from './kubernetes-watch.ts';

/** How to reach a cluster. */
export interface ClusterConnection {
  /** Name of the cluster in sluice.yaml. */
  readonly name: string;
  /** Context of the kubeconfig; an agent's is `<project path>:<agent name>`. */
  readonly context: string;
  /** Text of the kubeconfig, or of several (first wins, as with a KUBECONFIG list). Relative paths inside count from the working directory. */
  readonly kubeconfig: string | readonly string[];
  /** Proxy for the address of the API server, where one is to be used; the kubeconfig's own `proxy-url` comes first. */
  readonly proxyFor?: (server: string) => string | undefined;
  /** Limit of one request; default 30 s. A watch is not limited by it. */
  readonly timeoutMs?: number;
  /** A watch without a byte for this long counts as dead; default 90 s (bookmarks come about once a minute). */
  readonly idleMs?: number;
  /** What to do when the context is missing, e.g. which agents GitLab allows. */
  readonly hint?: string;
}

/** Names of the contexts in a kubeconfig, in order. Fault `context_missing` where it cannot be read. */
export function contextsOf(kubeconfig: string | readonly string[]): readonly string[] {
  return load(kubeconfig)
    .getContexts()
    .map((context) => context.name);
}

/**
 * A cluster over one kubeconfig context: bearer tokens, client certificates and exec plugins as the kubeconfig says.
 * Credentials go to the kubeconfig's server only (redirects are not followed).
 * Fault `context_missing` names the contexts there are.
 */
export function connectCluster(connection: ClusterConnection): ClusterInspection {
  const config = load(connection.kubeconfig);
  const names = config.getContexts().map((context) => context.name);
  if (!names.includes(connection.context)) {
    throw new Fault(
      'context_missing',
      `cluster "${connection.name}": the kubeconfig has no context "${connection.context}"; it has ${names.length === 0 ? 'none' : names.map((name) => `"${name}"`).join(', ')}`,
      { hint: connection.hint },
    );
  }
  config.setCurrentContext(connection.context);
  const api = connectApi(connection.name, config, {
    timeoutMs: connection.timeoutMs ?? 30_000,
    proxyFor: connection.proxyFor,
  });
  return {
    ...inspectApi(api),
    name: connection.name,
    async list(kind, namespace, signal) {
      const items: KubernetesObject[] = [];
      let resourceVersion = '';
      let next = '';
      for (;;) {
        const answer = await api.read(
          `${collection(kind, namespace)}?limit=500${next && `&continue=${encodeURIComponent(next)}`}`,
          signal,
        );
        // A continue token expires after some minutes (410): begin again.
        if (answer.status === 410 && next) {
          items.length = 0;
          next = '';
          continue;
        }
        const refusal = refusalOf(answer);
        if (refusal) return refusal;
        const page = api.json(answer) as {
          readonly items?: KubernetesObject[] | null;
          readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
        };
        for (const item of page.items ?? []) items.push(slim(item, kind));
        resourceVersion = page.metadata?.resourceVersion ?? '';
        next = page.metadata?.continue ?? '';
        if (!next) return { items, resourceVersion };
      }
    },
    async get(kind, namespace, name, signal) {
      const answer = await api.read(`${collection(kind, namespace)}/${encodeURIComponent(name)}`, signal);
      return refusalOf(answer) ?? slim(api.json(answer) as KubernetesObject, kind);
    },
    async *watch(kind, namespace, resourceVersion, signal) {
      const query = `watch=true&allowWatchBookmarks=true&resourceVersion=${encodeURIComponent(resourceVersion)}`;
      const stream = await api.open(`${collection(kind, namespace)}?${query}`, signal);
      if (!('body' in stream)) {
        yield { type: 'gone', reason: stream.reason };
        return;
      }
      yield* readWatch(stream.body, { idleMs: connection.idleMs ?? 90_000, signal, read: (item) => slim(item, kind) });
    },
    async annotate(kind, namespace, name, annotations, signal) {
      const answer = await api.patch(
        `${collection(kind, namespace)}/${encodeURIComponent(name)}?fieldManager=sluice`,
        JSON.stringify({ metadata: { annotations } }),
        signal,
      );
      const refusal = refusalOf(answer);
      if (refusal) return refusal;
      api.json(answer);
      return 'done';
    },
    async post(path, headers, body, signal) {
      return (await api.post(path, headers, body, signal)).status;
    },
  };
}

/** One kubeconfig of all texts: of equal names the first wins, as kubectl merges them. */
function load(kubeconfig: string | readonly string[]): KubeConfig {
  const config = new KubeConfig();
  for (const text of typeof kubeconfig === 'string' ? [kubeconfig] : kubeconfig) {
    try {
      const more = new KubeConfig();
      more.loadFromString(text);
      config.contexts = merge(config.getContexts(), more.getContexts());
      config.clusters = merge(config.getClusters(), more.getClusters());
      config.users = merge(config.getUsers(), more.getUsers());
    } catch {
      // The parser's message may quote the file, and the file holds credentials.
      throw new Fault('context_missing', 'the kubeconfig cannot be read: it is not a valid kubeconfig file', {
        hint: 'Check KUBECONFIG; in a GitLab job it is set where an agent is shared with the project (ci_access).',
      });
    }
  }
  return config;
}

function merge<T extends { readonly name: string }>(first: readonly T[], more: readonly T[]): T[] {
  return [...first, ...more.filter(({ name }) => !first.some((one) => one.name === name))];
}

function collection(kind: ResourceKind, namespace: string | null): string {
  const root = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  return `${root}${namespace === null ? '' : `/namespaces/${encodeURIComponent(namespace)}`}/${kind.plural}`;
}

function refusalOf(answer: ApiAnswer): 'forbidden' | 'missing' | undefined {
  if (answer.status === 403) return 'forbidden';
  return answer.status === 404 ? 'missing' : undefined;
}

/** Items of a list carry no kind; managed fields are the larger half of most objects and never needed. */
function slim(item: KubernetesObject, kind: ResourceKind): KubernetesObject {
  const metadata: Record<string, unknown> = { ...item.metadata };
  delete metadata['managedFields'];
  return { ...item, kind: item.kind ?? kind.kind, metadata: metadata as unknown as KubernetesObject['metadata'] };
}
