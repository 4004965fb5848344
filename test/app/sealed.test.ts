import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seal, unseal } from '../../src/app/sealed.ts';

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
