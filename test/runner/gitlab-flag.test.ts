import { expect, test } from 'vitest';
import { notifyCommand } from '../../runner/commands/notify.ts';
import { updateCommand } from '../../runner/commands/update.ts';
import { systemClock } from '../../src/systems/clock-system.ts';
import { runCommand } from '../doubles/run-command.ts';

const change = ['--delivery', 'shop/delivery', '--app', 'podinfo', '--environment', 'staging', '--set', 'a.yaml:/a=1'];
const options = { clock: systemClock(), folder: '/', env: {} };

test('outside a job a project path needs --gitlab, and is read on that server', async () => {
  await expect(runCommand(updateCommand, change, options)).rejects.toMatchObject({
    code: 'usage',
    hint: expect.stringContaining('--gitlab'),
  });
  const closed = { ...options, env: { CI_SERVER_URL: 'https://gitlab.example.com', SLUICE_GIT_TOKEN: 'some-token' } };
  await expect(
    runCommand(updateCommand, [...change, '--gitlab', 'http://127.0.0.1:9/', '--timeout', '1s'], closed),
  ).rejects.toMatchObject({ code: 'git_unavailable', message: expect.stringContaining('127.0.0.1:9') });
});

test('an address that is none is a usage error', async () => {
  for (const address of ['gitlab.example.com', 'ftp://gitlab.example.com', 'https://']) {
    await expect(runCommand(notifyCommand, ['--gitlab', address], options)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining(JSON.stringify(address)),
    });
  }
});
