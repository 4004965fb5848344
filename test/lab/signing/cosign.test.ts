import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { binaryPath } from '../../../scripts/binaries.mjs';
import { secret } from '../../../src/secret.ts';
import { connectCosign } from '../../../src/systems/cosign.ts';
import { localFiles } from '../../../src/systems/files-local.ts';
import { runProcesses } from '../../../src/systems/process-run.ts';
import { firstOf, overlay, publishing, type Publishing } from '../../artifact/publishing.ts';
import { brief, condition, hasFailed, isReady } from '../flux-object.ts';
import { setStage } from '../stage.ts';

const config = `version: 1
environments:
  staging: {clusters: [{name: staging, agent: "shop/agents:staging"}]}
apps: {podinfo: {}}
`;

describe('signatures, judged by Flux’s own verification', () => {
  const stage = setStage({ tier: 'core' });
  const folder = mkdtempSync(join(tmpdir(), 'sluice-cosign-'));
  let world: Publishing;
  const signer = (password = 'words') =>
    connectCosign({
      processes: runProcesses({ PATH: `${dirname(binaryPath('cosign'))}:${process.env['PATH']}`, HOME: folder }),
      files: localFiles(folder, tmpdir()),
      credentials: [],
      key: secret(readFileSync(join(folder, 'cosign.key'), 'utf8')),
      password: secret(password),
    });
  const verified = (reference: { digest: string }) => ({
    ref: reference,
    verify: { provider: 'cosign', secretRef: { name: 'cosign-public' } },
  });

  beforeAll(async () => {
    execFileSync(binaryPath('cosign'), ['generate-key-pair'], {
      cwd: folder,
      env: { COSIGN_PASSWORD: 'words', HOME: folder },
      stdio: 'ignore',
    });
    world = await publishing({ host: stage().stack.registryHost });
    await stage().scene.secret('cosign-public', { 'cosign.pub': readFileSync(join(folder, 'cosign.pub'), 'utf8') });
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  test('a signed artifact is verified, one without signature is not', async () => {
    const { scene } = stage();
    const sha = await world.commit(overlay('podinfo', 'staging'));
    const signed = firstOf(await world.publish(sha, { config, signer: signer(), tags: ['{environment}-{artifact}'] }));
    expect(signed).toMatchObject({ outcome: 'pushed', tags: ['staging', expect.any(String), 'staging-podinfo'] });
    await scene.put(
      'OCIRepository',
      'signed',
      scene.ociSpec('shop/delivery/podinfo', verified({ digest: signed.digest ?? '' })),
    );
    const { object } = await scene.waitFor('OCIRepository', 'signed', isReady);
    expect(brief(object, 'SourceVerified')).toBe('SourceVerified=True Succeeded');

    const next = await world.commit(overlay('podinfo', 'staging', '2'));
    const plain = firstOf(await world.publish(next, { config }));
    await scene.put(
      'OCIRepository',
      'unsigned',
      scene.ociSpec('shop/delivery/podinfo', verified({ digest: plain.digest ?? '' })),
    );
    const refused = await scene.waitFor('OCIRepository', 'unsigned', hasFailed('VerificationError'));
    expect(condition(refused.object, 'Ready')?.message).toContain('no matching signatures were found');
  });

  test('a key that cannot be opened stops before the moving tag, and nothing secret is said', async () => {
    const before = firstOf(await world.publish(await world.commit(overlay('podinfo', 'staging', '3')), { config }));
    const sha = await world.commit(overlay('podinfo', 'staging', '4'));
    const published = await world.publish(sha, { config, signer: signer('not-the-password') });
    expect(published.exit).toBe(7);
    expect(firstOf(published)).toMatchObject({ outcome: 'failed', fault: { code: 'token_refused' } });
    expect(JSON.stringify(published)).not.toContain('not-the-password');
    const { digest } = firstOf(await world.publish(sha, { config, signer: signer(), dryRun: true }));
    expect(digest).toBeNull();
    expect(before.digest).not.toBeNull();
    expect(firstOf(await world.publish(sha, { config, signer: signer() }))).toMatchObject({ outcome: 'pushed' });
  });
});
