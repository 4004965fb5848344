/**
 * Milliseconds for which a server keeps an idle connection, as nginx does in front of GitLab and its registry; an API
 * server keeps it longer. Node's 5 s are shorter than a busy client may leave one idle.
 */
export const KEEP_ALIVE_MS = 75_000;
