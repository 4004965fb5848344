import { expect, test } from 'vitest';
import { isOpen, readWindow, type Window } from '../../src/config/window.ts';

function window(text: string): Window {
  const read = readWindow(text);
  if ('fault' in read) throw new Error(read.fault);
  return read;
}

test.each([
  ['Mon-Fri 08:00-16:00 Europe/Vienna', '2026-07-06T06:00:00Z', true],
  ['Mon-Fri 08:00-16:00 Europe/Vienna', '2026-07-06T05:59:59Z', false],
  ['Mon-Fri 08:00-16:00 Europe/Vienna', '2026-01-05T07:00:00Z', true],
  ['Mon-Fri 08:00-16:00 Europe/Vienna', '2026-07-06T14:00:00Z', false],
  ['Mon-Fri 08:00-16:00', '2026-07-05T09:00:00Z', false],
  ['Fri 22:00-02:00', '2026-07-11T01:59:00Z', true],
  ['Fri 22:00-02:00', '2026-07-11T02:00:00Z', false],
  ['Sat-Mon 00:00-24:00', '2026-07-06T23:59:00Z', true],
  ['Mon,Wed 09:00-10:00', '2026-07-08T09:30:00Z', true],
  ['Daily 09:00-10:00', '2026-07-12T09:30:00Z', true],
])('%s at %s is open: %s', (text, at, open) => {
  expect(isOpen(window(text), Date.parse(at))).toBe(open);
});

test.each(['', 'Mon', 'Mon 08:00', 'Foo 08:00-09:00', 'Mon 08:00-08:00', 'Mon 24:00-25:00'])(
  '"%s" is refused',
  (text) => {
    expect(readWindow(text)).toHaveProperty('fault');
  },
);
