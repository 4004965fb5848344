import type { App, ClusterSettings, Config, Environment, SharedSettings } from './config.ts';
import { parseDuration } from './duration.ts';
import type { SluiceFile } from './schema.ts';

type EnvironmentFile = SluiceFile['environments'][string];
type AppFile = SluiceFile['apps'][string];
type ClusterFile = EnvironmentFile['clusters'][number];

/** Fills in every default that depends on nothing but the file. */
export function resolveConfig(file: SluiceFile, name: string): Config {
  return {
    file: name,
    environments: Object.entries(file.environments).map(([environment, settings]) =>
      resolveEnvironment(environment, settings),
    ),
    apps: Object.entries(file.apps).map(([app, settings]) => resolveApp(app, settings)),
  };
}

function resolveEnvironment(name: string, file: EnvironmentFile): Environment {
  return {
    name,
    promoteFrom: file.promote_from ?? null,
    changes: file.changes,
    clusters: file.clusters.map(resolveCluster),
    gates: file.gates
      ? {
          soakMs: file.gates.soak === undefined ? null : parseDuration(file.gates.soak)!,
          windows: file.gates.windows ?? [],
          statuses: file.gates.statuses ?? [],
        }
      : null,
    settings: sharedSettings(file),
  };
}

function resolveCluster(file: ClusterFile): ClusterSettings {
  const receiver = file.receiver
    ? {
        name: file.receiver.name,
        namespace: file.receiver.namespace,
        url: file.receiver.url ?? null,
        type: file.receiver.type,
        secretEnv: file.receiver.secret_env ?? null,
      }
    : null;
  const configured =
    receiver === null ? [] : [receiver.type === 'generic-oidc' ? ('oidc' as const) : ('receiver' as const)];
  return {
    name: file.name,
    context: file.agent ?? file.context!,
    notify: file.notify ?? [...configured, 'annotate'],
    receiver,
  };
}

function resolveApp(name: string, file: AppFile): App {
  const path = cleanPath(file.path ?? `apps/${name}`);
  return {
    name,
    path,
    project: file.project ?? null,
    artifacts: (file.artifacts ?? [{ name, path }]).map((artifact) => ({
      name: artifact.name,
      path: cleanPath(artifact.path),
    })),
    targets: file.targets.map((target) => ({
      image: target.image,
      file: cleanPath(target.file),
      path: target.path,
      document: target.document === undefined ? null : String(target.document),
      keys: target.keys ? Object.fromEntries(Object.entries(target.keys).filter(([, key]) => key !== undefined)) : null,
      value: target.value,
    })),
    settings: sharedSettings(file),
  };
}

function sharedSettings(file: EnvironmentFile | AppFile): SharedSettings {
  return {
    source: file.source,
    namespace: file.namespace,
    objects: file.objects,
    roots: file.roots?.map(cleanPath),
    timeoutMs: file.timeout === undefined ? undefined : parseDuration(file.timeout),
    tag: file.tag,
    repository: file.repository,
    files: file.files,
    pin: file.pin,
    health: file.health,
    watch: file.watch,
    report: file.report,
    hold: file.hold,
  };
}

/** "./a//b/" → "a/b"; the repository itself is ".". */
function cleanPath(path: string): string {
  return (
    path
      .split('/')
      .filter((part) => part !== '' && part !== '.')
      .join('/') || '.'
  );
}
