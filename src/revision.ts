/**
 * Flux's revision of a git commit: `<branch>@sha1:<40 hex>`. Flux takes only a hash of 40 characters after the last
 * colon (github.com/fluxcd/pkg/git `git.go`), so the full commit id is always written.
 */
export function formatRevision(branch: string, commit: string): string {
  return `${branch}@sha1:${commit}`;
}

/** The commit (40 hex) in a revision, or undefined. */
export function commitOfRevision(revision: string): string | undefined {
  return /(?:^|[:/])([0-9a-f]{40})$/.exec(revision)?.[1];
}

/** The digest ("sha256:<64 hex>") that ends a source's revision (`tag@sha256:…`, or the bare digest), or undefined. */
export function digestOfRevision(revision: string): string | undefined {
  return /(?:^|@)(sha256:[0-9a-f]{64})$/.exec(revision)?.[1];
}

/** First 12 hex digits of a commit, as in immutable tags and on screen. */
export function shortCommit(commit: string): string {
  return commit.slice(0, 12);
}
