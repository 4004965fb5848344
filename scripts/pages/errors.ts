import { faults } from '../../src/fault.ts';

/** docs/errors.md: every fault code with its exit code, title and hint. */
export function errorsPage(): string {
  const entries = Object.entries(faults).map(
    ([code, { exit, title, hint }]) => `### ${code}\n\n${title}. Exit code ${exit}.\n\n${hint}\n`,
  );
  return `# Errors\n\nEvery refusal and failure has a code, in text and as \`fault.code\` in JSON. Exit code 1 without a code is a bug of sluice.\n\n${entries.join('\n')}`;
}

const meanings: Readonly<Record<string, string>> = {
  0: 'done; also: nothing to do, superseded by a newer run',
  1: 'a bug in sluice; the stack is printed',
  2: 'usage or configuration',
  3: 'refused by a guard: re-run of something older, closed gate, hold, encrypted file, protected branch, missing image',
  4: 'the cluster says no',
  5: 'no verdict in time, or not enough rights to see one',
  6: 'a remote system failed after all retries; safe to run again',
  7: 'credentials missing, expired or not allowed',
  130: 'interrupted (SIGINT); a final status has been posted where one was open',
  143: 'canceled (SIGTERM); likewise',
};

/** docs/exit-codes.md: the exit codes and the fault codes that lead to them. */
export function exitCodesPage(): string {
  const rows = Object.entries(meanings).map(([exit, meaning]) => {
    const codes = Object.entries(faults)
      .filter(([, fault]) => String(fault.exit) === exit)
      .map(([code]) => `[${code}](errors.md#${code})`);
    return `| ${exit} | ${meaning} | ${codes.join(', ')} |`;
  });
  return `# Exit codes\n\nAn interface: scripts may rely on them. Of several outcomes the first of 1, 7, 6, 4, 5, 3, 2, 0 is taken.\n\n| code | meaning | faults |\n|---|---|---|\n${rows.join('\n')}\n`;
}
