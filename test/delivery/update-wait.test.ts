import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { Fault } from '../../src/fault.ts';
import { secret } from '../../src/secret.ts';
import { systemClock } from '../../src/systems/clock-system.ts';
import { connectGitLab } from '../../src/systems/gitlab-rest.ts';
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

  test('a signal ends what GitLab does not answer', async () => {
    const canceled = new AbortController();
    const silent = createServer(() => canceled.abort(new Fault('terminated', 'canceled (SIGTERM)')));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const gitlab = async () =>
      connectGitLab({
        url: `http://127.0.0.1:${port}`,
        token: secret('token'),
        tokenKind: 'private',
        clock: systemClock(),
      });
    const args = ['--mode', 'push', '--wait', '--timeout', '5m'];
    const fault = await faultOf(update({ args, signal: canceled.signal, systems: { gitlab } }));
    expect(fault).toMatchObject({ code: 'terminated', exit: 143 });
    silent.closeAllConnections();
    silent.close();
  });

  test('says at once that a job token’s push starts none', async () => {
    const env = { SLUICE_GIT_TOKEN: bot.token, CI_JOB_TOKEN: bot.token };
    const fault = await faultOf(update({ args: ['--mode', 'push', '--wait'], env }));
    expect(fault).toMatchObject({ code: 'pipeline_missing', exit: 5, message: expect.stringMatching(/job token/) });
  });
});
