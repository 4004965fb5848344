import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { Fault } from '../fault.ts';
import type { Secret } from '../secret.ts';

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

/** A text that others can read and not change: base64url, a dot, and its HMAC with a credential, sha256 in hex. */
export function sign(text: string, key: Secret): string {
  return `${Buffer.from(text).toString('base64url')}.${hmacOf(text, key)}`;
}

/** The text that was signed with the same credential; null: it is none, or was changed. */
export function openSigned(signed: string, key: Secret): string | null {
  const [, body, hmac] = FORM.exec(signed) ?? [];
  if (body === undefined || hmac === undefined) return null;
  const text = Buffer.from(body, 'base64url').toString();
  return timingSafeEqual(Buffer.from(hmacOf(text, key)), Buffer.from(hmac)) ? text : null;
}

function hmacOf(text: string, key: Secret): string {
  return createHmac('sha256', key.reveal()).update(text).digest('hex');
}

function sumOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
