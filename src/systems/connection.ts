/** Codes of node:http, and of what the platform's fetch is made of. */
const LOST = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

/** Did the other side close the connection, as servers do with one that was kept and not used for a while? */
export function isLostConnection(error: unknown): boolean {
  return error instanceof Error && 'code' in error && LOST.has(String(error.code));
}
