import { createHash } from 'node:crypto';
import { Fault } from '../fault.ts';

const FORM = /^([A-Za-z0-9_-]+)\.([0-9a-f]{64})$/;

/**
 * A text as it travels through GitLab's inputs and variables: base64url, a dot, and the sha256 of the text in hex. GitLab
 * 17.11 reads an input that is JSON as JSON and refuses it as text (https://gitlab.com/gitlab-org/gitlab/-/issues/535990),
 * and variables in variables are expanded: with the sum neither a sender nor a path can put a secret of the receiving
 * job into the text.
 */
export function seal(text: string): string {
  return `${Buffer.from(text).toString('base64url')}.${sumOf(text)}`;
}

/** The text of a sealed one; null: it is none. Fault `usage` where the sum is another's. */
export function unseal(sealed: string, where: string): string | null {
  const [, body, sum] = FORM.exec(sealed.trim()) ?? [];
  if (body === undefined || sum === undefined) return null;
  const text = Buffer.from(body, 'base64url').toString();
  if (sumOf(text) === sum) return text;
  throw new Fault('usage', `${where} was changed on its way: its sum is not that of its text`, {
    hint: 'Send it with `sluice update --mode trigger`.',
  });
}

function sumOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
