import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { redactor } from '../../runner/output/redact.ts';
import { readCredentials } from '../../runner/settings/credentials.ts';
import { secret } from '../../src/secret.ts';
import { inspect } from 'node:util';

describe('a secret cannot be printed', () => {
  test('string, JSON, template and inspection show stars', () => {
    const hidden = secret('glpat-abcdefgh');
    expect(
      `${String(hidden)} ${JSON.stringify({ hidden })} ${inspect({ hidden }, { depth: 9, showHidden: true })}`,
    ).not.toContain('glpat');
    expect(hidden.reveal()).toBe('glpat-abcdefgh');
  });
});

describe('the gate', () => {
  test('no form of a secret passes', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 12, maxLength: 60, unit: 'grapheme-ascii' }).filter((text) => text.trim() === text),
        fc.string({ maxLength: 20 }),
        (value, around) => {
          const clean = redactor(new Set([value]));
          const forms = [
            value,
            encodeURIComponent(value),
            Buffer.from(value).toString('base64'),
            Buffer.from(`${around}:${value}`).toString('base64'),
            JSON.stringify(value),
          ];
          for (const form of forms) {
            const text = clean(`before ${form} after`);
            expect(text).not.toContain(value);
            expect(text).not.toContain(form.replace(/=+$/, ''));
          }
        },
      ),
    );
  });

  test('the password of an address is masked though nobody told', () => {
    expect(redactor(new Set())('fatal: https://oauth2:abc123@git.example.com/x.git')).toBe(
      'fatal: https://oauth2:[MASKED]@git.example.com/x.git',
    );
  });

  test('a credential learned later is masked from then on', () => {
    const credentials = readCredentials({ RECEIVER_PROD: 'hook-value-1', CI_JOB_TOKEN: '/file' }, (path) =>
      path === '/file' ? 'token-in-file\n' : undefined,
    );
    const clean = redactor(credentials.known);
    expect(clean('token-in-file hook-value-1')).toBe('[MASKED] hook-value-1');
    expect(credentials.of('RECEIVER_PROD')?.reveal()).toBe('hook-value-1');
    expect(clean('hook-value-1')).toBe('[MASKED]');
  });
});
