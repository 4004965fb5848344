import { faults, type ExitCode, type FaultRecord } from '../../src/fault.ts';
import { checks, type Finding } from '../../src/operations/doctor/finding.ts';
import type { CommandResult } from '../command.ts';
import { alignedTable } from '../output/table.ts';
import type { DoctorPlace } from './doctor.place.ts';

/** The checklist as text, record, test cases and summary. */
export function doctorResult(
  found: readonly Finding[],
  {
    outcome,
    exit,
    place,
  }: { readonly outcome: Finding['state']; readonly exit: ExitCode; readonly place: DoctorPlace },
): CommandResult {
  const findings = found.toSorted((a, b) => checks.indexOf(a.check) - checks.indexOf(b.check));
  const count = (state: Finding['state']) => findings.filter((one) => one.state === state).length;
  const sums = { ok: count('ok'), warn: count('warn'), fault: count('fault'), unknown: count('unknown') };
  return {
    record: {
      outcome,
      gitlab: place.url,
      delivery: place.project,
      counts: sums,
      findings,
      ...deciding(findings, exit),
    },
    text: textOf(findings, sums),
    exit,
    dotenv: { SLUICE_OUTCOME: outcome, SLUICE_FAULTS: String(sums.fault) },
    cases: findings.map((one) => ({
      suite: `doctor ${one.check}`,
      name: [one.subject, one.id].filter((word) => word !== '').join(' '),
      seconds: 0,
      ...(one.state === 'fault' ? { failure: `${one.message}\n${one.repair ?? ''}` } : {}),
      ...(one.state === 'unknown' ? { skipped: one.message } : {}),
    })),
    summary: summaryOf(findings),
  };
}

/** The first fault that gives the exit code, as other commands tell theirs. */
function deciding(findings: readonly Finding[], exit: ExitCode): { readonly fault?: FaultRecord } {
  const first = findings.find(({ state, code }) => state === 'fault' && code !== null && faults[code].exit === exit);
  if (first === undefined || first.code === null) return {};
  const { code, message, repair, subject } = first;
  const what = subject === '' ? message : `${subject}: ${message}`;
  return { fault: { code, message: what, hint: repair ?? faults[code].hint, docs: `docs/errors.md#${code}` } };
}

function textOf(findings: readonly Finding[], sums: Readonly<Record<Finding['state'], number>>): string {
  const rows = findings.map((one) => [one.state, one.check, one.subject || '-', one.message]);
  const open = findings.filter(({ repair }) => repair !== null);
  const order = ['fault', 'warn', 'unknown'];
  const repairs = open
    .toSorted((a, b) => order.indexOf(a.state) - order.indexOf(b.state))
    .map((one) => `  ${one.state} ${one.check} ${one.subject}: ${one.repair}`.replace(/ +:/, ':'));
  return [
    alignedTable([['STATE', 'CHECK', 'ABOUT', 'WHAT'], ...rows]),
    ...(repairs.length > 0 ? ['', 'To do:', ...repairs] : []),
    '',
    `${sums.ok} ok, ${sums.warn} to change, ${sums.fault} at fault, ${sums.unknown} not known`,
  ].join('\n');
}

function summaryOf(findings: readonly Finding[]): string {
  const cell = (text: string | null) => (text ?? '').replaceAll('|', String.raw`\|`).replaceAll('\n', ' ');
  const rows = findings.map(
    (one) => `| ${one.state} | ${one.check} | ${cell(one.subject)} | ${cell(one.message)} | ${cell(one.repair)} |`,
  );
  return ['### doctor', '', '| state | check | about | what | repair |', '|---|---|---|---|---|', ...rows, ''].join(
    '\n',
  );
}
