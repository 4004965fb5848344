import { commands } from '../../runner/cli.ts';
import type { Flag } from '../../runner/command.ts';
import { globalFlags, variableOf } from '../../runner/settings/flags.ts';

/** docs/commands.md: every command with arguments, flags, variables and examples. */
export function commandsPage(): string {
  const parts = commands.map((command) => {
    const usage = [
      'sluice',
      command.name,
      ...command.arguments.map(({ name, required, variadic }) =>
        required ? `<${name}${variadic ? '...' : ''}>` : `[${name}${variadic ? '...' : ''}]`,
      ),
      '[flags]',
    ].join(' ');
    const examples = command.examples.map(([what, line]) => `# ${what}\nsluice ${line}`).join('\n\n');
    return `## ${command.name}\n\n${command.description}\n\n\`\`\`text usage\n${usage}\n\`\`\`\n\n${command.flags.length > 0 ? `${flagTable(command.flags)}\n\n` : ''}\`\`\`sh\n${examples}\n\`\`\`\n`;
  });
  return `# Commands\n\nPrecedence: flag, then the variable, then \`sluice.yaml\`, then GitLab's predefined variable, then the default. Repeatable flags take one value a line in their variable.\n\nEvery command has these:\n\n${flagTable(globalFlags)}\n\n${parts.join('\n')}`;
}

function flagTable(flags: readonly Flag[]): string {
  const rows = flags.map((flag) => {
    const name = `\`--${flag.name}${flag.type === 'boolean' ? '' : ` ${flag.value ?? 'VALUE'}`}\``;
    const notes = [
      flag.summary,
      ...(flag.type === 'list' ? ['repeatable'] : []),
      ...(flag.choices ? [flag.choices.filter((choice) => choice !== '').join(', ')] : []),
    ];
    return `| ${name.replaceAll('|', '\\|')} | \`${variableOf(flag.name)}\` | ${flag.gitlab ? `\`${flag.gitlab}\`` : ''} | ${flag.default ?? ''} | ${notes.join('; ').replaceAll('|', '\\|')} |`;
  });
  return `| flag | variable | in a GitLab job | default | |\n|---|---|---|---|---|\n${rows.join('\n')}`;
}
