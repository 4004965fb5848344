import { parseAllDocuments } from 'yaml';

interface Input {
  readonly type?: string;
  readonly default?: unknown;
  readonly description?: string;
  readonly options?: readonly unknown[];
}

/** docs/components.md: the inputs of every template; `templates` maps names to their text. */
export function componentsPage(templates: ReadonlyMap<string, string>): string {
  const parts = [...templates].map(([name, text]) => {
    const [header] = parseAllDocuments(text);
    const { spec } = header!.toJS() as { spec: { inputs: Readonly<Record<string, Input>> } };
    const rows = Object.entries(spec.inputs).map(
      ([input, { type = 'string', default: fallback, description = '', options }]) => {
        const shown =
          fallback === undefined
            ? '**required**'
            : fallback === ''
              ? ''
              : `\`${typeof fallback === 'string' ? fallback : JSON.stringify(fallback)}\``;
        return `| \`${input}\` | ${type}${
          options
            ? `: ${options
                .filter((option) => option !== '')
                .map(String)
                .join(', ')}`
            : ''
        } | ${shown} | ${description.replaceAll('|', '\\|')} |`;
      },
    );
    return `## ${name}\n\n\`\`\`yaml\ninclude:\n  - component: $CI_SERVER_FQDN/sluice/sluice/${name}@0.1.0\n\`\`\`\n\n| input | type | default | |\n|---|---|---|---|\n${rows.join('\n')}\n`;
  });
  return `# Components\n\nInputs reach the CLI through environment variables, never through shell text. Exit code 3 (held, guarded) is an allowed failure; exit code 6 is retried.\n\n${parts.join('\n')}`;
}
