import { jsonSchema } from '../../runner/commands/schema.run.ts';
import { unsupported } from '../../src/config/unsupported.ts';

interface Node {
  readonly description?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | boolean;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly required?: readonly string[];
}

/** docs/sluice-yaml.md: every key of sluice.yaml. */
export function settingsPage(): string {
  const rows = walk(jsonSchema('sluice.yaml'), '');
  const later = unsupported
    .map(({ path, value }) => `\`${path}${value === undefined ? '' : `: ${value}`}\``)
    .join(', ');
  return `# sluice.yaml\n\nStands in the root of the delivery repository. Unknown keys are errors. Settings that stand both at an app and at an environment: the app's word wins. For editors: \`# yaml-language-server: $schema=…/schema/sluice.schema.json\`, or \`sluice schema\`.\n\n| key | type | default | |\n|---|---|---|---|\n${rows.join('\n')}\n\nNot supported yet (named as such, never ignored): ${later}.\n`;
}

function walk(node: Node, path: string): string[] {
  const inner = node.anyOf?.find((option) => option.properties) ?? node;
  if (inner.properties) {
    return Object.entries(inner.properties).flatMap(([key, child]) => {
      const at = path === '' ? key : `${path}.${key}`;
      return [row(at, child, inner.required?.includes(key) === true), ...walk(child, at)];
    });
  }
  if (inner.items) return walk(inner.items, `${path}[]`);
  if (typeof inner.additionalProperties === 'object') return walk(inner.additionalProperties, `${path}.<name>`);
  return [];
}

function row(path: string, node: Node, required: boolean): string {
  const type =
    node.const !== undefined
      ? JSON.stringify(node.const)
      : node.enum
        ? node.enum.map(String).join(' \\| ')
        : node.type === 'array'
          ? `list${node.items?.enum ? ` of ${node.items.enum.map(String).join(', ')}` : ''}`
          : (node.type ?? 'string or number');
  const fallback =
    node.default === undefined || JSON.stringify(node.default) === '[]'
      ? required && node.default === undefined
        ? 'required'
        : ''
      : `\`${JSON.stringify(node.default).replaceAll('"', '')}\``;
  return `| \`${path}\` | ${type} | ${fallback} | ${node.description ?? ''} |`;
}
