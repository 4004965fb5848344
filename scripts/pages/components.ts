import { parseAllDocuments } from 'yaml';
import { version } from '../../runner/version.ts';

interface Input {
  readonly type?: string;
  readonly default?: unknown;
  readonly description?: string;
  readonly options?: readonly unknown[];
  readonly regex?: string;
}

const opening = `# Components

Inputs reach the CLI through environment variables, never through shell text. Exit code 3 (held, guarded) is an allowed failure; exit code 6 is retried. Several names are written one a line; a \`$\` that is no variable is written \`$$\`.

`;

const closing = `
## Notes

- Lists may be empty, except \`rules\`: no \`tags\` leaves \`default: tags\` in force, no \`needs\` waits for the earlier stages (an empty \`needs\` on a job itself would start it at once). Their texts must hold no \`'\`.
- Scans before the tag moves: \`needs: [scan image, scan manifests]\`. \`sync\` follows \`publish\` all the same.
- Two includes of one component need names of their own (\`job_name\`, \`job_prefix\`): of two jobs with one name the last wins.
- What has no input is set on the job by its name in your own file: GitLab merges both.
- With \`publish: on-tag\` protect the tags, or their pipelines have no protected variables; the agent must be shared without \`protected_branches_only\`.
- \`dashboard_namespace\` and \`flux_resource_path\` are written with the keys that the server knows: below \`dashboard\` from GitLab 18.4.
- Include by version (\`@${version}\`), branch or commit: \`runner_image\` names the released version in each. On a mirror, give your own.
- Dotenv reports hold at most 20 variables and 5 KB, since GitLab fails a job that writes more; all is in \`result.json\`, which is among the artifacts.
- Pipelines of merge requests from forks have no protected variables: the default \`rules\` leave them out.
`;

/** Values that the shown includes give to inputs without a default. */
const samples: Readonly<Record<string, string>> = { environment: 'staging', app: 'podinfo', delivery: 'shop/delivery' };

function samplesOf(inputs: Readonly<Record<string, Input>>): string {
  return Object.entries(inputs)
    .filter(([, input]) => input.default === undefined)
    .map(([name]) => `      ${name}: ${samples[name] ?? name}\n`)
    .join('');
}

/** docs/components.md: the inputs of every template; `templates` maps names to their text. */
export function componentsPage(templates: ReadonlyMap<string, string>): string {
  const parts = [...templates].map(([name, text]) => {
    const [header] = parseAllDocuments(text);
    const { spec } = header!.toJS() as { spec: { inputs: Readonly<Record<string, Input>> } };
    const rows = Object.entries(spec.inputs).map(
      ([input, { type = 'string', default: fallback, description = '', options, regex }]) => {
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
            : regex
              ? `: \`${regex.replaceAll('|', String.raw`\|`)}\``
              : ''
        } | ${shown} | ${description.replaceAll('|', '\\|')} |`;
      },
    );
    return `## ${name}\n\n\`\`\`yaml .gitlab-ci.yml\ninclude:\n  - component: $CI_SERVER_FQDN/sluice/sluice/${name}@${version}\n    inputs:\n${samplesOf(spec.inputs)}\`\`\`\n\n| input | type | default | |\n|---|---|---|---|\n${rows.join('\n')}\n`;
  });
  return `${opening}${parts.join('\n')}${closing}`;
}
