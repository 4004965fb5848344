import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openSigned, seal, sign, unseal } from '../../src/app/sealed.ts';
import { secret } from '../../src/secret.ts';

test('any text comes back, in characters that GitLab neither reads as JSON nor expands', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (text) => {
      const sealed = seal(text);
      expect(sealed).toMatch(/^[A-Za-z0-9_-]+\.[0-9a-f]{64}$/);
      expect(unseal(sealed, 'change')).toBe(text);
    }),
  );
});

test('what is not sealed is told apart; what was changed on its way is refused', () => {
  for (const text of ['[]', 'changes.json', '', '{"app":"a"}']) expect(unseal(text, 'change')).toBeNull();
  const [body, sum] = seal('[{"value":"x"}]').split('.');
  expect(() => unseal(`${body}AAAA.${sum}`, 'change')).toThrow(/was changed on its way/);
});

test('what is signed can be read by all, and is ours only with our key', () => {
  const key = secret('glpat-signing-key');
  const signed = sign('{"a":1}', key);
  expect(openSigned(signed, key)).toBe('{"a":1}');
  expect(openSigned(signed, secret('glpat-other-key'))).toBeNull();
  expect(openSigned(`${Buffer.from('{"a":2}').toString('base64url')}.${signed.split('.')[1]}`, key)).toBeNull();
  for (const text of ['', 'x', `${'a'.repeat(70)}.${'0'.repeat(63)}`]) expect(openSigned(text, key)).toBeNull();
});
