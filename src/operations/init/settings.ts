import { stringify } from 'yaml';
import { isProduction, promotions } from './environments.ts';
import type { Layout } from './layout.ts';

/** What people may say beside the repository. */
export interface SettingsInput {
  readonly layout: Layout;
  /** Project that holds the agents' settings; null: kubeconfig contexts named like the environments. */
  readonly agents: string | null;
  readonly source: 'oci' | 'git';
  /** App → application project. */
  readonly projects: ReadonlyMap<string, string>;
  readonly receiver: 'generic-hmac' | 'none';
}

const SCHEMA = 'https://gitlab.com/sluice/sluice/-/raw/main/schema/sluice.schema.json';

/** Name of the variable that holds the token of an environment's Receiver. */
function receiverVariable(cluster: string): string {
  return `SLUICE_RECEIVER_${cluster.toUpperCase().replaceAll('-', '_')}`;
}

/** sluice.yaml for a layout; what is a default is not written. */
export function settingsText({ layout, agents, source, projects, receiver }: SettingsInput): string {
  const chain = promotions(layout.environments);
  const environments = Object.fromEntries(
    layout.environments.map((name) => [
      name,
      {
        ...(chain.has(name) ? { promote_from: chain.get(name) } : {}),
        ...(isProduction(name) && layout.environments.length > 1 ? { changes: 'merge-request' } : {}),
        ...(source === 'git' ? { source: 'git' } : {}),
        clusters: [
          {
            name,
            ...(agents === null ? { context: name } : { agent: `${agents}:${name}` }),
            ...(receiver === 'none' ? {} : { receiver: { name: 'sluice', secret_env: receiverVariable(name) } }),
          },
        ],
      },
    ]),
  );
  const apps = Object.fromEntries(
    layout.apps.map(({ name, template }) => {
      const project = projects.get(name);
      const isDefault = template === `apps/${name}/{environment}`;
      const before = template.split('/{environment}')[0] ?? '.';
      const path = template.startsWith('{environment}') ? '.' : before;
      return [
        name,
        {
          ...(project === undefined ? {} : { project }),
          ...(isDefault ? {} : { path, roots: [template] }),
        },
      ];
    }),
  );
  return `# yaml-language-server: $schema=${SCHEMA}\n${stringify({ version: 1, environments, apps }, { lineWidth: 0 })}`;
}
