import { describe, expect, test } from 'vitest';
import { Fault } from '../../src/fault.ts';
import { endOf, LONGEST_TIMER_MS } from '../../src/systems/deadline.ts';
import { patience } from '../../src/systems/git-patience.ts';
import { startClone } from '../../src/systems/git-start.ts';
import { ProcessFailure } from '../../src/systems/process.ts';

const NOW = 1_800_000_000_000;
const waits: number[] = [];
const clock = {
  now: () => NOW,
  sleep: (ms: number) => {
    waits.push(ms);
    return Promise.resolve();
  },
  random: () => 0.5,
};
const url = 'https://gitlab.example.com/shop/delivery.git';
/** Never ends by itself. */
const silence = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });
const away = () => Promise.reject(new ProcessFailure('git', 128, 'fatal: Connection refused', ''));

describe('a server', () => {
  test('that keeps silent is left at the deadline', async () => {
    const patiently = patience({ clock, url, deadline: NOW - 4_990 });
    await expect(patiently(silence)).rejects.toMatchObject({ code: 'git_unavailable', exit: 6 });
    await expect(patience({ clock, url, deadline: NOW - 19_990 })(silence, undefined, 'push')).rejects.toThrow(
      'may have landed',
    );
  });

  test('is not asked again after the deadline', async () => {
    waits.length = 0;
    await expect(patience({ clock, url, deadline: NOW })(away)).rejects.toThrow('Connection refused');
    expect(waits).toEqual([]);
    await expect(patience({ clock, url })(away)).rejects.toThrow('Connection refused');
    expect(waits).toEqual([500, 1000, 2000]);
  });

  test('whose caller gives up is left with the caller’s reason', async () => {
    const left = new AbortController();
    const leaving = patience({ clock, url, deadline: NOW + 60_000 })(silence, left.signal);
    left.abort(new Error('canceled'));
    await expect(leaving).rejects.toThrow('canceled');
  });
});

test('an end is told by the fault of that moment; one further away than a timer reaches does not come at once', async () => {
  const why = () => new Fault('registry_unavailable', 'no answer');
  const [soon, passed, ...far] = [NOW + 1, NOW - 60_000, NOW + LONGEST_TIMER_MS, Infinity].map((deadline) =>
    endOf({ clock, deadline, graceMs: 4 }, why),
  );
  await new Promise((resolve) => soon?.addEventListener('abort', resolve));
  expect(soon?.reason).toMatchObject({ code: 'registry_unavailable', message: 'no answer' });
  expect(passed?.aborted).toBe(true);
  expect(far.map(({ aborted }) => aborted)).toEqual([false, false]);
});

test.each([
  ['fatal: Server does not support shallow requests', ['--filter=blob:none'], true],
  ['fatal: dumb http transport does not support shallow capabilities', [], false],
])('%s: less is asked for', async (words, flags, smart) => {
  const asked: (readonly string[])[] = [];
  const run = (args: readonly string[]) => {
    asked.push(args.filter((arg) => /^--(depth|filter)/.test(arg)));
    return asked.length === 1
      ? Promise.reject(new ProcessFailure('git', 128, words, ''))
      : Promise.resolve({ exitCode: 0, stdout: new Uint8Array(), text: '', stderr: '' });
  };
  expect(await startClone(run, url, 'main', 'delivery.git')).toEqual({ filtered: flags.length > 0, smart });
  expect(asked).toEqual([['--depth=1', '--filter=blob:none'], flags]);
});
