import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseTrailers } from '../../src/delivery/trailers.ts';
import { runProcesses } from '../../src/systems/process-run.ts';

const processes = runProcesses(process.env);

/** git's own answer, one "key: value" a line. */
async function asGit(message: string): Promise<string> {
  const answer = await processes.run('git', ['interpret-trailers', '--parse', '--no-divider'], {
    input: message,
    env: { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' },
  });
  return answer.text;
}
const ours = (message: string) =>
  parseTrailers(message)
    .map(({ key, value }) => `${key}: ${value}\n`)
    .join('');

describe('trailers are parsed as git parses them', () => {
  test.each([
    'subject\n\nSluice-App: web\n',
    'subject\n\nSluice-App: web',
    'Sluice-App: web\n',
    'subject\nSluice-App: web\n',
    'subject\n\nbody\n\nSluice-App: web\nnot a trailer\n',
    'subject\n\nSluice-App: web\nno\nSigned-off-by: A <a@example.com>\n',
    'subject\n\nSluice-App: web\n\nafter\n',
    'subject\n\nSluice-App: web\n folded\n  twice\nSluice-Environment:staging\n',
    'subject\n\n folded\nSluice-App: web\n',
    'subject\n\nSluice App: web\n',
    'subject\n\nSluice-App : web\n\n\n',
    'subject\n\nSluice-App: web\n# comment\nSluice-Environment: s\n# end\n',
    'subject\n\nSluice-App: web\n\nConflicts:\n\ta.yaml\n',
    'subject\n\nSluice-App: web\n# ------------------------ >8 ------------------------\nX: y\n',
    'subject\n\n---\nSluice-App: web\n',
    'subject\n\n---\n\nSluice-App: web\n',
    'subject\n\nSluice-App: web\r\nSluice-Environment: s\r\n',
    'subject\r\n\r\nSluice-App: web\r\n',
    'subject\n\n: x\nA: b\n',
    'subject\n\nA:\nB:   \n',
    '\n\nA: b\n',
    '# c\n\nA: b\n',
    'subject\n\nConflicts:',
    'subject\n\nA: b\nConflicts:\n\tx',
    '',
    '\n',
  ])('%j', async (message) => {
    expect(ours(message)).toBe(await asGit(message));
  });

  test('on random messages', async () => {
    const line = fc.oneof(
      fc.constantFrom('', '', ' ', 'text', 'A: b', 'Sluice-App: web', ' cont', '\tcont', '# note', '---', 'Conflicts:'),
      fc.constantFrom(
        'Signed-off-by: A <a@b>',
        '(cherry picked from commit 1)',
        'a b: c',
        'K :v',
        ':x',
        'ü: y',
        'a:b:c',
      ),
      fc.string({ unit: fc.constantFrom('a', ':', ' ', '#', '-', '\t', '1', 'é'), maxLength: 6 }),
    );
    const message = fc
      .tuple(fc.array(line, { maxLength: 9 }), fc.constantFrom('', '\n', '\n\n'))
      .map(([lines, end]) => lines.join('\n') + end);
    await fc.assert(
      fc.asyncProperty(message, async (text) => {
        expect(ours(text)).toBe(await asGit(text));
      }),
      { numRuns: 400 },
    );
  });
});
