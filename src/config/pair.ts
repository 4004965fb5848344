import { Fault } from '../fault.ts';
import type { App, Config, Environment, Pair } from './config.ts';
import { suggestion } from './nearest.ts';

/** The app of this name; Fault `unknown_app` names the nearest. */
export function appOf(config: Config, name: string): App {
  const app = config.apps.find((candidate) => candidate.name === name);
  if (app) return app;
  throw new Fault(
    'unknown_app',
    `${config.file} has no app ${name}. ${suggestion(
      name,
      config.apps.map((known) => known.name),
    )}`,
  );
}

/** The environment of this name; Fault `unknown_environment` names the nearest. */
export function environmentOf(config: Config, name: string): Environment {
  const environment = config.environments.find((candidate) => candidate.name === name);
  if (environment) return environment;
  throw new Fault(
    'unknown_environment',
    `${config.file} has no environment ${name}. ${suggestion(
      name,
      config.environments.map((known) => known.name),
    )}`,
  );
}

/**
 * Settings of one app in one environment. `registry` fills {registry} in repositories (`host[:port]/path`, GitLab's
 * CI_REGISTRY_IMAGE); without it repositories keep the placeholder. Faults `unknown_app`, `unknown_environment`.
 */
export function pairOf(config: Config, appName: string, environmentName: string, registry = '{registry}'): Pair {
  const app = appOf(config, appName);
  const environment = environmentOf(config, environmentName);
  const own = { ...defined(environment.settings), ...defined(app.settings) };
  const fill = (template: string, artifact = app.name) =>
    template.replaceAll(
      /\{(registry|app|artifact|environment)\}/g,
      (_, name: string) => ({ registry, app: app.name, artifact, environment: environment.name })[name]!,
    );
  return {
    app,
    environment,
    source: own.source ?? 'oci',
    namespace: own.namespace ?? 'flux-system',
    objects: own.objects ?? [],
    artifacts: app.artifacts.map((artifact) => ({
      name: artifact.name,
      path: artifact.path,
      roots: (own.roots ?? [joinPath(artifact.path, '{environment}')]).map((root) => fill(root, artifact.name)),
      repository: fill(own.repository ?? '{registry}/{artifact}', artifact.name),
    })),
    timeoutMs: own.timeoutMs ?? null,
    tag: fill(own.tag ?? '{environment}'),
    files: own.files ?? 'reached',
    pin: own.pin ?? null,
    health: own.health ?? 'workloads',
    watch: own.watch ?? 'cluster',
    report: own.report ?? (environment.promoteFrom === null ? ['status'] : ['deployment', 'note']),
    hold: own.hold ?? null,
  };
}

/** Every (app, environment) of the file, environments first. */
export function allPairs(config: Config, registry?: string): readonly Pair[] {
  return config.environments.flatMap((environment) =>
    config.apps.map((app) => pairOf(config, app.name, environment.name, registry)),
  );
}

/** The repository of an environment's ledger: beside the artifacts, `{registry}/ledger`, tagged with the environment's name. */
export function ledgerRepository(registry: string): string {
  return `${registry}/ledger`;
}

function joinPath(folder: string, name: string): string {
  return folder === '.' ? name : `${folder}/${name}`;
}

function defined<T extends object>(record: T): Partial<{ [K in keyof T]: Exclude<T[K], undefined> }> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as Partial<{
    [K in keyof T]: Exclude<T[K], undefined>;
  }>;
}
