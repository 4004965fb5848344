import { describe, expect, test } from 'vitest';
import { classifyPush, isTransient, roomFault, serverWords } from '../../src/systems/git-failure.ts';
import { ProcessFailure } from '../../src/systems/process.ts';

const porcelain = (reason: string, flag = '[remote rejected]') =>
  `To https://gitlab.example.com/shop/delivery.git\n!\tabc:refs/heads/main\t${flag} (${reason})\nDone\nerror: failed to push some refs`;
const hook = (words: string) => `${porcelain('pre-receive hook declined')}\nremote: ${words}`;

describe('a rejected push is a race', () => {
  test.each([
    porcelain('non-fast-forward', '[rejected]'),
    porcelain('fetch first', '[rejected]'),
    porcelain('stale info', '[rejected]'),
    porcelain('remote ref updated since checkout', '[rejected]'),
    porcelain('cannot lock ref'),
    porcelain('incorrect old value provided'),
    porcelain('failed to update ref'),
    porcelain('reference already exists'),
    `${porcelain('failed to update ref')}\nremote: error: cannot lock ref 'refs/heads/main': is at ${'a'.repeat(40)} but expected ${'b'.repeat(40)}`,
    `${porcelain('failed to update ref')}\nremote: error: Unable to create '/r.git/refs/heads/main.lock': File exists.`,
    hook(`GitLab: cannot lock ref 'refs/heads/main': reference already exists`),
    ' ! [rejected]        main -> main (fetch first)\nerror: failed to push some refs',
    ' ! [rejected]        main -> main (non-fast-forward)',
  ])('%s', (output) => expect(classifyPush(output)).toBe('raced'));
});

describe('a rejected push is refused', () => {
  test.each([
    hook('GitLab: You are not allowed to push code to protected branches on this project.'),
    hook('GitLab: Commit message does not follow the pattern: fetch first, then write'),
    hook('Only non-fast-forward pushes by the release team'),
    hook('GL-HOOK-ERR: stale info in the header'),
    hook('no words that anybody knows'),
    hook('HTTP Basic: Access denied'),
    hook('The project you were looking for could not be found.'),
    hook("couldn't find remote ref main"),
    hook('The requested URL returned error: 503'),
    porcelain('deny updating a hidden ref'),
    porcelain('protected branch hook declined'),
    `${porcelain('failed to update ref')}\nremote: error: cannot lock ref 'refs/heads/sluice/a': 'refs/heads/sluice' exists; cannot create 'refs/heads/sluice/a'`,
    porcelain('refname conflict'),
    `${porcelain('non-fast-forward')}\nremote: error: denying non-fast-forward refs/heads/main (you should pull first)`,
  ])('%s', (output) => expect(classifyPush(output)).toBe('refused'));
});

describe('a failed push is neither', () => {
  test.each([
    ["fatal: unable to access 'https://x/': The requested URL returned error: 403", 'refused-token'],
    ["fatal: unable to access 'https://x/': The requested URL returned error: 502", 'unavailable'],
    ["fatal: unable to access 'https://x/': Could not resolve host: x", 'unavailable'],
    [`${porcelain('unpacker error')}\nremote: fatal: write error: No space left on device`, 'unavailable'],
    ['remote: HTTP Basic: Access denied\nfatal: Authentication failed', 'refused-token'],
  ])('%s', (output, why) => expect(classifyPush(output)).toBe(why));
});

test('a commit that finds no room here is no bug, and what the server says of its own room is not about this machine', () => {
  const failure = (stderr: string) => new ProcessFailure('git', 128, stderr, '');
  const full = "fatal: sha1 file 'objects/pack/tmp_idx_a' write error. Out of diskspace";
  expect(roomFault(failure(full), 'https://x/y.git')).toMatchObject({ code: 'file_unreadable', exit: 2 });
  expect(roomFault(failure(`remote: ${full}`), 'https://x/y.git')).toBeNull();
});

test('a hook that speaks of connections is not tried again', () => {
  expect(isTransient(hook('Connection reset by peer'))).toBe(false);
  expect(isTransient('fatal: unable to access: Recv failure: Connection reset by peer')).toBe(true);
});

test('the server’s words are told in one line, without what moves a terminal', () => {
  expect(serverWords(`remote: GitLab: \u001B[31mno\u001B[0m\n${porcelain('pre-receive hook declined')}`)).toBe(
    '[31mno [0m; [remote rejected] (pre-receive hook declined)',
  );
  expect(serverWords("fatal: could not read Username for 'https://x': terminal prompts disabled")).toBe(
    'the credential is refused (401)',
  );
});
