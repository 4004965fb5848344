import type { Files } from '../../src/systems/files.ts';
import type { CommandResult } from '../command.ts';

/** What goes into the report folder. */
export interface ReportInput {
  readonly command: string;
  /** The JSON document, complete. */
  readonly document: Readonly<Record<string, unknown>>;
  readonly result: CommandResult | undefined;
  readonly seconds: number;
  readonly exit: number;
  readonly redact: (text: string) => string;
}

/** Writes result.json, sluice.env, junit.xml, metrics.txt and summary.md; every text passes the redaction gate. */
export async function writeReports(files: Files, folder: string, input: ReportInput): Promise<void> {
  const texts: Readonly<Record<string, string>> = {
    'result.json': `${JSON.stringify(input.document, null, 2)}\n`,
    'sluice.env': dotenv({
      SLUICE_OUTCOME: String(input.document['outcome']),
      SLUICE_EXIT: String(input.exit),
      ...input.result?.dotenv,
    }),
    'junit.xml': junit(input),
    'metrics.txt': metrics(input),
    'summary.md': input.result?.summary ?? `**sluice ${input.command}**: ${String(input.document['outcome'])}\n`,
  };
  for (const [name, text] of Object.entries(texts)) await files.write(`${folder}/${name}`, input.redact(text));
}

/** GitLab fails the job of a larger report: https://docs.gitlab.com/administration/instance_limits/#limit-dotenv-variables */
const mostVariables = 20;
const mostBytes = 5_000;

/** GitLab's dotenv report: KEY=value, one line each, no quotes; line breaks become spaces; what is too much is left out. */
function dotenv(values: Readonly<Record<string, string>>): string {
  const lines = Object.entries(values).map(
    ([key, value]) => `${key.replaceAll(/[^A-Za-z0-9_]/g, '_')}=${value.replaceAll(/\s*[\r\n]+\s*/g, ' ')}\n`,
  );
  let bytes = 0;
  return lines
    .slice(0, mostVariables)
    .filter((line) => (bytes += Buffer.byteLength(line)) <= mostBytes)
    .join('');
}

function junit({ command, result, document, seconds }: ReportInput): string {
  const fault = document['fault'] as { code: string; message: string } | undefined;
  const own: NonNullable<CommandResult['cases']>[number] = {
    suite: 'sluice',
    name: command,
    seconds,
    ...(fault ? { failure: `${fault.code}: ${fault.message}` } : {}),
  };
  const cases = result?.cases?.length ? result.cases : [own];
  const body = cases.map((test) => {
    const inner =
      test.failure !== undefined
        ? `<failure message="${xml(test.failure)}"/>`
        : test.skipped !== undefined
          ? `<skipped message="${xml(test.skipped)}"/>`
          : '';
    return `    <testcase classname="${xml(test.suite)}" name="${xml(test.name)}" time="${test.seconds.toFixed(3)}">${inner}</testcase>`;
  });
  const failures = cases.filter((test) => test.failure !== undefined).length;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n  <testsuite name="sluice ${xml(command)}" tests="${cases.length}" failures="${failures}">\n${body.join('\n')}\n  </testsuite>\n</testsuites>\n`;
}

function xml(text: string): string {
  const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text
    .replaceAll(/[&<>"]/g, (char) => escapes[char]!)
    .replaceAll(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
    .replaceAll('\n', '&#10;');
}

function metrics({ command, seconds, exit, document, result }: ReportInput): string {
  const durations = (document['durations'] ?? {}) as Readonly<Record<string, number>>;
  return [
    '# TYPE sluice_exit_code gauge',
    `sluice_exit_code{command="${command}"} ${exit}`,
    '# TYPE sluice_duration_seconds gauge',
    `sluice_duration_seconds{command="${command}",step="total"} ${seconds.toFixed(3)}`,
    ...Object.entries(durations)
      .filter(([step]) => step !== 'total')
      .map(
        ([step, value]) =>
          `sluice_duration_seconds{command="${command}",step="${step.replaceAll(/["\\\n]/g, '_')}"} ${value.toFixed(3)}`,
      ),
    ...[...Map.groupBy(result?.metrics ?? [], ({ name }) => name)].flatMap(([name, gauges]) => [
      `# TYPE ${name} gauge`,
      ...gauges.map(({ labels, value }) => `${name}{${labelText(labels)}} ${value}`),
    ]),
    '# EOF',
    '',
  ].join('\n');
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replaceAll(/[\\"\n]/g, (char) => escapes[char]!)}"`)
    .join(',');
}
