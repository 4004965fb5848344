import type { NotifyWay } from '../notify/request.ts';

/** sluice.yaml after parsing, with every default filled in. Paths are relative to the repository's root. */
export interface Config {
  /** The file it was read from, for messages. */
  readonly file: string;
  readonly environments: readonly Environment[];
  readonly apps: readonly App[];
}

/** How results reach the application project. */
export type ReportWay = 'status' | 'deployment' | 'note' | 'none';

export interface Environment {
  readonly name: string;
  readonly promoteFrom: string | null;
  /** How changes arrive. */
  readonly changes: 'push' | 'merge-request';
  readonly clusters: readonly ClusterSettings[];
  readonly gates: Gates | null;
  readonly settings: SharedSettings;
}

/** Settings that environments and apps may carry, as far as written in the file. */
export interface SharedSettings {
  readonly source: 'oci' | 'git' | undefined;
  readonly namespace: string | undefined;
  readonly objects: readonly string[] | undefined;
  readonly roots: readonly string[] | undefined;
  readonly timeoutMs: number | undefined;
  readonly tag: string | undefined;
  readonly repository: string | undefined;
  readonly files: 'reached' | 'folder' | undefined;
  readonly pin: 'tag' | 'digest' | 'both' | undefined;
  readonly health: 'workloads' | 'applied' | undefined;
  readonly watch: 'cluster' | 'statuses' | undefined;
  readonly report: readonly ReportWay[] | undefined;
  /** Reason why update and promote refuse. */
  readonly hold: string | undefined;
}

export interface ClusterSettings {
  readonly name: string;
  /** kubeconfig context: `<project path>:<agent name>` for an agent. */
  readonly context: string;
  readonly notify: readonly NotifyWay[];
  readonly receiver: ReceiverSettings | null;
}

export interface ReceiverSettings {
  readonly name: string;
  readonly namespace: string;
  /** Direct address of the webhook receiver; null: the service proxy behind the agent. */
  readonly url: string | null;
  readonly type: 'generic-hmac' | 'gitlab' | 'generic-oidc';
  /** Name of the variable that holds the token. */
  readonly secretEnv: string | null;
}

export interface Gates {
  readonly soakMs: number | null;
  /** e.g. "Mon-Fri 08:00-16:00 Europe/Vienna". */
  readonly windows: readonly string[];
  readonly statuses: readonly string[];
}

export interface App {
  readonly name: string;
  readonly path: string;
  /** Application project that gets its results back. */
  readonly project: string | null;
  /** At least one; an app without `artifacts:` has one, named like it. */
  readonly artifacts: readonly { readonly name: string; readonly path: string }[];
  readonly targets: readonly ExplicitTarget[];
  readonly settings: SharedSettings;
}

/** A target that discovery would not find. `{environment}` in `file` stands for the environment's name. */
export interface ExplicitTarget {
  /** Image it belongs to. */
  readonly image: string;
  readonly file: string;
  /** JSON Pointer or dotted path of the value, or of the map that holds `keys`. */
  readonly path: string;
  readonly document: string | null;
  /** Names of the keys below `path`; null: the value at `path` is the full reference (or just the tag, see `value`). */
  readonly keys: {
    readonly registry?: string;
    readonly repository?: string;
    readonly tag?: string;
    readonly digest?: string;
  } | null;
  /** What a scalar at `path` holds. */
  readonly value: 'reference' | 'repository' | 'tag' | 'digest';
}

/** Settings of one app in one environment: the app's own word before the environment's, before the default. */
export interface Pair {
  readonly app: App;
  readonly environment: Environment;
  readonly source: 'oci' | 'git';
  readonly namespace: string;
  readonly objects: readonly string[];
  /** For each artifact, the folders that Flux builds. */
  readonly artifacts: readonly {
    readonly name: string;
    readonly path: string;
    readonly roots: readonly string[];
    readonly repository: string;
  }[];
  readonly timeoutMs: number | null;
  /** Moving tag. */
  readonly tag: string;
  readonly files: 'reached' | 'folder';
  /** null: what --image says. */
  readonly pin: 'tag' | 'digest' | 'both' | null;
  readonly health: 'workloads' | 'applied';
  readonly watch: 'cluster' | 'statuses';
  /** How the application project hears of it; default `status`, and `deployment` and `note` with `promote_from`. */
  readonly report: readonly ReportWay[];
  /** Why update and promote refuse; null: they do not. */
  readonly hold: string | null;
}
