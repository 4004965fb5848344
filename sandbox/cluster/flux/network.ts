import { at, text } from '../store/object.ts';

/** Go's words for why a request to a URL got no answer. */
export function networkCause(error: unknown, url: string): string {
  const { host, hostname, protocol } = new URL(url);
  const port = /:\d+$/.test(host) ? host : `${host}:${protocol === 'https:' ? 443 : 80}`;
  const code = text(at(error, 'cause', 'code')) || text(at((error as Error).cause, 'code'));
  const words = `${(error as Error).message} ${text(at((error as Error).cause, 'message'))}`;
  if (code === 'ECONNREFUSED' || words.includes('bad port')) return `dial tcp ${port}: connect: connection refused`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `dial tcp: lookup ${hostname}: no such host`;
  if (code === 'ECONNRESET' || code === 'UND_ERR_SOCKET') return 'EOF';
  return words.trim();
}
