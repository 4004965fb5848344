import { describe, expect, test } from 'vitest';
import { aGitLabForEach, api, bot, PROJECT, server, update } from './request-world.ts';
import { faultOf } from './update-world.ts';

aGitLabForEach();

describe('--wait in push mode', () => {
  const push = (args: readonly string[] = []) =>
    update({ args: ['--mode', 'push', '--wait', '--timeout', '5m', ...args] });

  test.each([
    ['success', 0],
    ['canceled', 0],
    ['skipped', 3],
    ['failed', 4],
  ])('a status %s is exit %i', async (state, exit) => {
    const waiting = push();
    let sha = '';
    for (
      const stop = server.on((event) => {
        if (event.type === 'push') sha = event.after;
      });
      ;
    ) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      if (sha === '') continue;
      stop();
      break;
    }
    await api('POST', `/statuses/${sha}`, { state, ref: 'main', name: 'sync: production/web', description: 'why' });
    expect(await waiting).toMatchObject({ exit, record: { followed: [{ state, description: 'why' }] } });
  });

  test('says why no pipeline came', async () => {
    await server.seed(PROJECT, new Map([['.gitlab-ci.yml', 'job: { scrip: [x] }\n']]), 'ci', { pipeline: false });
    const fault = await faultOf(push());
    expect(fault).toMatchObject({ code: 'pipeline_missing', exit: 5, message: expect.stringMatching(/scrip/) });
  });

  test('says at once that a job token’s push starts none', async () => {
    const env = { SLUICE_GIT_TOKEN: bot.token, CI_JOB_TOKEN: bot.token };
    const fault = await faultOf(update({ args: ['--mode', 'push', '--wait'], env }));
    expect(fault).toMatchObject({ code: 'pipeline_missing', exit: 5, message: expect.stringMatching(/job token/) });
  });
});
