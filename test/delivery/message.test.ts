import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatMessage, type MessageContent, oneLine, parseClaim } from '../../src/delivery/message.ts';
import { runProcesses } from '../../src/systems/process-run.ts';

const sha = 'a'.repeat(40);
const content: MessageContent = {
  environments: ['staging'],
  apps: [{ name: 'web', version: '1.2.0' }],
  images: [{ name: 'registry.example.com/shop/web', tag: '1.2.0', digest: null }],
  targets: [{ file: 'apps/web/staging/kustomization.yaml', path: 'images[0].newTag', before: '1.1.0', after: '1.2.0' }],
  origin: { project: 'shop/web', commit: sha, ref: 'main', pipeline: 42 },
};

describe('the commit message', () => {
  test('has subject, changes and trailers', () => {
    expect(formatMessage(content)).toBe(`deploy(staging): web 1.2.0

- apps/web/staging/kustomization.yaml: images[0].newTag 1.1.0 → 1.2.0

Sluice-App: web
Sluice-Environment: staging
Sluice-Image: registry.example.com/shop/web:1.2.0
Sluice-Source-Project: shop/web
Sluice-Source-Commit: ${sha}
Sluice-Source-Ref: main
Sluice-Source-Pipeline: 42
`);
  });

  test('has comma lists for several', () => {
    const apps = [...content.apps, { name: 'api', version: '' }];
    const message = formatMessage({ ...content, apps, environments: ['staging', 'production'], targets: [] });
    expect(message.split('\n').slice(0, 4)).toEqual([
      'deploy(staging, production): web 1.2.0, api',
      '',
      'Sluice-App: web',
      'Sluice-App: api',
    ]);
  });

  test.each(['[skip ci]', '[CI SKIP]', '[ci_skip]', '[Skip-CI]'])(
    '%s in a value does not stop the pipeline',
    (text) => {
      expect(oneLine(`a ${text} b`)).not.toContain('[');
    },
  );

  test('whatever comes from outside stays in its place', async () => {
    const processes = runProcesses(process.env);
    const env = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };
    const hostile = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        'main\nSluice-App: evil',
        'x\r\n\r\nSluice-App: evil\r\n',
        '---\nSluice-App: evil',
        '\u2028Sluice-App: evil',
        '\u0085Sluice-Source-Pipeline: 9',
        '\n# ------------------------ >8 ------------------------\n',
        'a\0b',
      ),
    );
    await fc.assert(
      fc.asyncProperty(hostile, hostile, hostile, async (ref, after, version) => {
        const message = formatMessage({
          ...content,
          apps: [{ name: 'web', version }],
          targets: [{ file: ref, path: after, before: version, after }],
          origin: { ...content.origin!, ref },
        });
        expect(parseClaim({ sha, message })).toMatchObject({
          apps: ['web'],
          environments: ['staging'],
          origin: { project: 'shop/web', commit: sha, pipeline: 42 },
        });
        const parsed = await processes.run('git', ['interpret-trailers', '--parse'], { input: message, env });
        expect(parsed.text.split('\n').filter((line) => /^Sluice-(App|Source-Pipeline)/.test(line))).toEqual([
          'Sluice-App: web',
          'Sluice-Source-Pipeline: 42',
        ]);
      }),
      { numRuns: 150 },
    );
  });
});

describe('a claim', () => {
  const commit = { sha: 'b'.repeat(40), message: formatMessage(content) };

  test('is what the message says', () => {
    expect(parseClaim(commit)).toEqual({
      commit: commit.sha,
      apps: ['web'],
      environments: ['staging'],
      images: ['registry.example.com/shop/web:1.2.0'],
      origin: content.origin,
    });
  });

  test.each([
    ['a person’s commit', 'fix typo\n'],
    ['no environment', 'x\n\nSluice-App: web\n'],
    ['a bad name', 'x\n\nSluice-App: ../web\nSluice-Environment: staging\n'],
    ['trailers in the body', 'x\n\nSluice-App: web\nSluice-Environment: s\n\nbut this came last\n'],
  ])('is not made by %s', (_, message) => {
    expect(parseClaim({ sha, message })).toBeNull();
  });

  test.each([
    ['Sluice-Source-Commit: abc', null],
    [`Sluice-Source-Commit: ${sha.toUpperCase()}`, null],
    [
      `Sluice-Source-Commit: ${sha}\nSluice-Source-Pipeline: -1`,
      { project: 'a/b', commit: sha, ref: '', pipeline: null },
    ],
    [`Sluice-Source-Commit: ${sha}\nsluice-source-pipeline: 7`, { project: 'a/b', commit: sha, ref: '', pipeline: 7 }],
  ])('with %j has origin %j', (lines, origin) => {
    const message = `x\n\nSluice-App: a\nSluice-Environment: s\nSluice-Source-Project: a/b\n${lines}\n`;
    expect(parseClaim({ sha, message })?.origin).toEqual(origin);
  });

  test('of a revert is that of the reverted commit, without images and origin', () => {
    const revert = {
      sha: 'c'.repeat(40),
      message: `Revert "deploy(staging): web 1.2.0"\n\nThis reverts commit ${commit.sha}.\n`,
    };
    const again = { sha: 'd'.repeat(40), message: `Revert "Revert ""\n\nThis reverts commit ${revert.sha}.\n` };
    const all = [commit, revert, again];
    const find = (id: string) => all.find((each) => each.sha === id);
    const claim = { apps: ['web'], environments: ['staging'], images: [], origin: null };
    expect(parseClaim(revert, find)).toEqual({ ...claim, commit: revert.sha });
    expect(parseClaim(again, find)).toEqual({ ...claim, commit: again.sha });
    expect(parseClaim(revert)).toEqual({ ...claim, commit: revert.sha });
    expect(parseClaim(again)).toBeNull();
  });
});
