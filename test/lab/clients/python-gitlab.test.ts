import { execFile } from 'node:child_process';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startGitLab } from '../../../sandbox/gitlab/server.ts';
import { cacheDirectory } from '../../../scripts/binaries.mjs';

const version = '8.6.0';
const run = promisify(execFile);

/** python-gitlab in a virtual environment of its own, in the per-user cache; answers its python. */
async function pythonGitLab(): Promise<string> {
  const folder = join(cacheDirectory(), `python-gitlab-${version}`);
  const python = join(folder, 'bin', 'python');
  const marker = join(folder, 'bin', 'gitlab');
  if (
    await access(marker).then(
      () => true,
      () => false,
    )
  )
    return python;
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  try {
    await run('python3', ['-m', 'venv', folder]);
  } catch (error) {
    throw new Error('python3 with its module venv is missing: install it (Debian: apt-get install python3-venv)', {
      cause: error,
    });
  }
  await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', `python-gitlab==${version}`]);
  return python;
}

test('python-gitlab, a client that knows nothing of sluice, is content with the simulated GitLab', async () => {
  const python = await pythonGitLab();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-client-'));
  const server = await startGitLab({ folder, env: { PATH: process.env['PATH'] ?? '' } });
  try {
    server.createProject('team/podinfo');
    const ci = 'test: { script: ["true"] }\n';
    const sha = await server.seed('team/podinfo', new Map([['.gitlab-ci.yml', ci]]), 'first');
    await server.waitForPipelines();
    // A person: GitLab lets no bot make access tokens.
    const { token, username } = server.createUser('maintainer', {
      memberships: { 'team/podinfo': 40 },
      scopes: ['api'],
    });
    const expires = new Date(Date.now() + 20 * 86_400_000).toISOString().slice(0, 10);
    const { stdout } = await run(python, [join(import.meta.dirname, 'speak.py')], {
      env: { GITLAB: server.url, TOKEN: token, PROJECT: 'team/podinfo', SHA: sha, EXPIRES: expires },
    });
    const seen = JSON.parse(stdout) as Readonly<Record<string, unknown>>;
    process.stdout.write(`python-gitlab ${String(seen['version'])}\n`);
    expect(seen).toEqual({
      version,
      user: username,
      project: 'team/podinfo',
      again: 400,
      statuses: expect.arrayContaining([['sync: staging/podinfo', 'success', 'success']]),
      old: ['success'],
      pipelines: [['push', 'success']],
      pipeline: [true, 'main'],
      request: ['merged', expect.arrayContaining(['second'])],
      requestOf: [1],
      rotated: [true, true],
      former: 401,
      deployToken: [true, true],
      deployments: [['production', 'success']],
      environments: ['production'],
    });
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  }
}, 180_000);
