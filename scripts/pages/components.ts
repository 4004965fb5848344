import { parseAllDocuments } from 'yaml';

interface Input {
  readonly type?: string;
  readonly default?: unknown;
  readonly description?: string;
  readonly options?: readonly unknown[];
}

const opening = `# Components

Inputs reach the CLI through environment variables, never through shell text. Exit code 3 (held, guarded) is an allowed failure; exit code 6 is retried. Several names are written one a line; a \`$\` that is no variable is written \`$$\`.

`;

const closing = `
## What is set on the job itself

Empty lists are no valid \`tags\`, and an empty \`needs\` would start a job before the stages above it, so these keywords are not inputs. A job with the same name in your own file adds to the included one:

\`\`\`yaml
sluice publish staging:
  needs: [scan image, scan manifests] # only these come before the tag moves
  tags: [private]                     # or \`default: tags\` for all jobs
  environment:
    kubernetes:                       # the environment's cluster dashboard
      agent: shop/agents:staging-eu
      dashboard:                      # before GitLab 18.4: both keys directly below \`kubernetes\`
        namespace: podinfo
        flux_resource_path: kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/podinfo
\`\`\`

- Publish on a tag alone: \`rules: [{ if: $CI_COMMIT_TAG }]\`. The agent must then be shared without \`protected_branches_only\`.
- Two includes of one component need names of their own (\`job_name\`, \`job_prefix\`): of two jobs with one name the last wins.
- Include by version (\`@0.1.0\`), branch or commit. \`runner_image\` names the image of the released version; on a mirror, give your own.
- publish and sync write no dotenv report, since GitLab limits the number of variables in one; their \`result.json\` is in the artifacts.
- Pipelines of merge requests from forks have no protected variables: the default \`rules\` leave them out.
`;

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
  return `${opening}${parts.join('\n')}${closing}`;
}
