import { type FaultCode, faults } from '../../src/fault.ts';

/** Pages that tell more, by code: their title and address from docs/. */
const more: Partial<Readonly<Record<FaultCode, readonly [string, string]>>> = {
  config_missing: ['Start from an existing repository', 'how-to/init.md'],
  target_missing: ['What is changed', 'how-to/release.md#what-is-changed'],
  image_missing: ['Release a version', 'how-to/release.md'],
  older_run: ['Go back, and run again', 'how-to/go-back.md'],
  held: ['Hold', 'how-to/hold.md'],
  gate_closed: ['Gates and freeze', 'how-to/gates.md'],
  push_refused: ['Changes as merge requests', 'how-to/merge-requests.md'],
  branch_taken: ['Changes as merge requests', 'how-to/merge-requests.md'],
  trigger_refused: ['Trigger mode', 'how-to/trigger.md'],
  origin_refused: ['Trigger mode', 'how-to/trigger.md'],
  prune_refused: ['Open it all the same', 'how-to/gates.md#open-it-all-the-same'],
  cluster_failed: ['Verdicts', 'verdicts.md'],
  timed_out: ['Verdicts', 'verdicts.md'],
  verdict_unknown: ['Rights', 'verdicts.md#rights'],
  pipeline_missing: ['Who runs the pipeline', 'getting-started/self-managed.md#who-runs-the-pipeline'],
  token_missing: ['Tokens', '../examples/README.md#tokens'],
  token_refused: ['Tokens', '../examples/README.md#tokens'],
  context_missing: ['The agent', 'getting-started/README.md#3-the-agent'],
};

function moreOf(code: FaultCode): string {
  const page = more[code];
  return page ? ` More: [${page[0]}](${page[1]}).` : '';
}

/** docs/errors.md: every fault code with its exit code, title and hint. */
export function errorsPage(): string {
  const entries = Object.entries(faults).map(
    ([code, { exit, title, hint }]) =>
      `### ${code}\n\n${title}. Exit code ${exit}.\n\n${hint}${moreOf(code as FaultCode)}\n`,
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
