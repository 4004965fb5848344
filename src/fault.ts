/**
 * The one error type. Every refusal and failure that a user can meet is a `Fault` with a code of the closed
 * catalogue below; anything else that is thrown is a bug of sluice (exit code 1).
 */

/** Exit codes of the CLI, an interface (docs/exit-codes.md). */
export type ExitCode = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 130 | 143;

interface CatalogueEntry {
  readonly exit: ExitCode;
  /** What went wrong, in general: the title on the errors page. */
  readonly title: string;
  /** What to do next, where the thrower knows nothing better. */
  readonly hint: string;
}

const catalogue = {
  // 2: usage or configuration
  usage: { exit: 2, title: 'A flag or argument is wrong', hint: 'See the command’s --help.' },
  not_supported: {
    exit: 2,
    title: 'The setting is known but not supported yet',
    hint: 'Remove it until a release supports it.',
  },
  config_missing: {
    exit: 2,
    title: 'There is no sluice.yaml',
    hint: 'Let `sluice init` write sluice.yaml into the root of the delivery repository, or name it with --config.',
  },
  config_invalid: {
    exit: 2,
    title: 'sluice.yaml is not valid',
    hint: 'Correct the places named; the schema is printed by `sluice schema`.',
  },
  unknown_app: {
    exit: 2,
    title: 'The app is not in sluice.yaml',
    hint: 'Use one of the apps of sluice.yaml, or add it there.',
  },
  unknown_environment: {
    exit: 2,
    title: 'The environment is not in sluice.yaml',
    hint: 'Use one of the environments of sluice.yaml, or add it there.',
  },
  image_reference: {
    exit: 2,
    title: 'The image reference is not valid',
    hint: 'Write it as NAME[:TAG][@DIGEST], or NAME=[NEWNAME][:TAG][@DIGEST].',
  },
  file_missing: { exit: 2, title: 'A file is missing', hint: 'Check the path.' },
  file_unreadable: { exit: 2, title: 'A file cannot be read or written', hint: 'Check the rights and the free space.' },
  path_outside: {
    exit: 2,
    title: 'A path leaves the repository',
    hint: 'Use a relative path inside the repository, without "..".',
  },
  manifest_unparsable: { exit: 2, title: 'A manifest cannot be parsed', hint: 'Correct the file at the place named.' },
  target_missing: {
    exit: 2,
    title: 'Nothing to change was found',
    hint: 'Check the image name, or name the target in sluice.yaml.',
  },
  branch_missing: {
    exit: 2,
    title: 'The branch does not exist',
    hint: 'Check --branch; an empty repository needs a first commit.',
  },
  commit_missing: {
    exit: 2,
    title: 'The commit is not in the repository',
    hint: 'Fetch it (GIT_DEPTH: 0), or name another commit.',
  },
  selection_empty: {
    exit: 2,
    title: 'No files belong to the artifact',
    hint: 'Check `path`, `roots` and `files` in sluice.yaml.',
  },
  too_large: {
    exit: 2,
    title: 'The input is larger than sluice accepts',
    hint: 'Exclude files with .sourceignore, or raise the limit.',
  },
  tool_missing: {
    exit: 2,
    title: 'A program that sluice needs is not installed',
    hint: 'Install it, or run in the runner image, which has it.',
  },
  // 3: refused by a guard
  edit_refused: {
    exit: 3,
    title: 'The value cannot be changed safely',
    hint: 'Change it by hand, or name another target.',
  },
  encrypted: {
    exit: 3,
    title: 'The file is encrypted',
    hint: 'Move the value out of the encrypted file; its MAC covers plain values too.',
  },
  image_missing: {
    exit: 3,
    title: 'The image is not in its registry',
    hint: 'Push the image first, or pass --no-verify-image.',
  },
  older_run: {
    exit: 3,
    title: 'This pipeline is older than what stands',
    hint: 'A rollback is a new delivery commit: `git revert` there; --allow-older permits this once.',
  },
  held: { exit: 3, title: 'The app is on hold', hint: 'Remove `hold` from sluice.yaml when it may move again.' },
  gate_closed: { exit: 3, title: 'A gate is closed', hint: 'Wait for the window, or override with a reason.' },
  push_refused: {
    exit: 3,
    title: 'The delivery repository refused the push',
    hint: 'The bot needs the right to push to this branch, or use `changes: merge-request`.',
  },
  trigger_refused: {
    exit: 3,
    title: 'The delivery project did not take the trigger',
    hint: 'Its pipeline needs a job with `sluice update --local` for triggers.',
  },
  origin_refused: {
    exit: 3,
    title: 'A change does not come from where it says',
    hint: 'Check apps.<app>.project in sluice.yaml; GitLab was asked for the project and pipeline named.',
  },
  branch_taken: {
    exit: 3,
    title: 'Somebody else committed to the merge request’s branch',
    hint: 'Merge or close that merge request, then run again.',
  },
  build_refused: {
    exit: 3,
    title: 'kustomize cannot build the manifests',
    hint: 'Correct the manifests; Flux would fail with the same text.',
  },
  prune_refused: {
    exit: 3,
    title: 'The artifact would lose objects that git did not delete',
    hint: 'Flux would prune live objects; check what the roots reach.',
  },
  registry_refused: {
    exit: 3,
    title: 'The registry does not take the artifact',
    hint: 'See the registry’s words; check media types, quota and tag rules.',
  },
  tree_refused: {
    exit: 3,
    title: 'The repository holds something that cannot travel in an artifact',
    hint: 'Replace it by a plain file.',
  },
  // 4, 5: the cluster's answer
  cluster_failed: {
    exit: 4,
    title: 'The cluster says no',
    hint: 'See the cause named; correct the manifests and deliver again.',
  },
  pipeline_missing: {
    exit: 5,
    title: 'The delivery pipeline did not come, or ended without a verdict',
    hint: 'Look at the delivery project’s pipelines; a commit pushed with a job token starts none.',
  },
  timed_out: { exit: 5, title: 'No verdict in time', hint: 'Raise --timeout, or look at the objects named.' },
  verdict_unknown: {
    exit: 5,
    title: 'Not enough rights to see the outcome',
    hint: 'Grant the rights named (examples/agent-config/rbac/sluice.yaml), or set `health: applied`.',
  },
  // 6: a remote system failed
  gitlab_unavailable: { exit: 6, title: 'GitLab does not answer', hint: 'Check the address; it is safe to run again.' },
  git_unavailable: {
    exit: 6,
    title: 'The git server does not answer',
    hint: 'Check the address; it is safe to run again.',
  },
  registry_unavailable: {
    exit: 6,
    title: 'The registry does not answer',
    hint: 'Check the address; it is safe to run again.',
  },
  cluster_unavailable: {
    exit: 6,
    title: 'The cluster does not answer',
    hint: 'Check that the agent is connected; it is safe to run again.',
  },
  contention: { exit: 6, title: 'Others pushed first until the deadline', hint: 'It is safe to run again.' },
  // 7: credentials
  token_missing: { exit: 7, title: 'A credential is missing', hint: 'Set the CI/CD variable named.' },
  token_refused: {
    exit: 7,
    title: 'A credential is wrong, expired or not allowed',
    hint: 'Check its expiry, scopes and role.',
  },
  context_missing: {
    exit: 7,
    title: 'The kubeconfig has no such context',
    hint: 'Share the agent with this project (ci_access), and give the job its environment.',
  },
  // signals
  interrupted: { exit: 130, title: 'Interrupted', hint: 'Run again when ready.' },
  terminated: { exit: 143, title: 'Canceled', hint: 'Run again when ready.' },
} as const satisfies Record<string, CatalogueEntry>;

/** The closed union of codes; each has an anchor of the same name in docs/errors.md. */
export type FaultCode = keyof typeof catalogue;

/** Every code with its exit code, title and general hint. */
export const faults: Readonly<Record<FaultCode, CatalogueEntry>> = catalogue;

/** Where in the input a fault is: lines and columns count from 1. */
export interface Place {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
}

/** A fault as it stands in JSON results. */
export interface FaultRecord {
  readonly code: FaultCode;
  readonly message: string;
  readonly hint: string;
  readonly docs: string;
}

/** A refusal or failure that a user can meet. `message` says what and where; `hint` what to do next. */
export class Fault extends Error {
  readonly code: FaultCode;
  readonly hint: string;
  readonly exit: ExitCode;
  constructor(
    code: FaultCode,
    message: string,
    options: { readonly hint?: string | undefined; readonly place?: Place } = {},
  ) {
    super(options.place ? `${formatPlace(options.place)}: ${message}` : message);
    this.name = 'Fault';
    this.code = code;
    this.hint = options.hint ?? faults[code].hint;
    this.exit = faults[code].exit;
  }
}

/** "file:line:column", as far as known. */
export function formatPlace(place: Place): string {
  return [place.file, place.line, place.line === undefined ? undefined : place.column]
    .filter((part) => part !== undefined)
    .join(':');
}

/** The fault as JSON; `docs` is a path below the project's documentation. */
export function faultRecord(fault: Fault): FaultRecord {
  return { code: fault.code, message: fault.message, hint: fault.hint, docs: `docs/errors.md#${fault.code}` };
}

/** Exit code of several outcomes: the first of 1, 7, 6, 4, 5, 3, 2, 0 that occurs (signals before all). */
export function worstExit(exits: Iterable<ExitCode>): ExitCode {
  const seen = new Set(exits);
  const order: readonly ExitCode[] = [143, 130, 1, 7, 6, 4, 5, 3, 2];
  return order.find((code) => seen.has(code)) ?? 0;
}
