import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { binaryPath } from '../../scripts/binaries.mjs';
import type { StartOptions } from './etcd.ts';
import { connectKube } from './kube.ts';
import { until } from './until.ts';

/**
 * Starts the API server against etcd. It knows an administrator's token and asks the webhook of `tokenReviews` (a
 * kubeconfig's text) about all others. `ready` resolves when /readyz says so. The self-signed certificate carries its
 * own CA, so clients check it with the certificate itself.
 */
export async function startApiServer(options: StartOptions, etcd: string, port: number, tokenReviews: string) {
  const { children, folder } = options;
  const keys = join(folder, 'pki');
  mkdirSync(keys, { recursive: true });
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(join(keys, 'sa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 });
  writeFileSync(join(keys, 'sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  const adminToken = randomBytes(24).toString('hex');
  writeFileSync(join(keys, 'tokens.csv'), `${adminToken},admin,admin,system:masters\n`, { mode: 0o600 });
  writeFileSync(join(keys, 'token-reviews'), tokenReviews, { mode: 0o600 });
  const child = children.start('kube-apiserver', binaryPath('kube-apiserver'), [
    `--etcd-servers=${etcd}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--cert-dir=${keys}`,
    `--token-auth-file=${join(keys, 'tokens.csv')}`,
    '--authorization-mode=RBAC',
    `--authentication-token-webhook-config-file=${join(keys, 'token-reviews')}`,
    '--authentication-token-webhook-version=v1',
    '--authentication-token-webhook-cache-ttl=1s',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${join(keys, 'sa.pub')}`,
    `--service-account-signing-key-file=${join(keys, 'sa.key')}`,
    '--service-cluster-ip-range=10.0.0.0/24',
    '--allow-privileged=true',
    // No controller manager makes service accounts, and loopback endpoints are refused.
    '--disable-admission-plugins=ServiceAccount',
    '--endpoint-reconciler-type=none',
    '--enable-priority-and-fairness=false',
    '--storage-media-type=application/vnd.kubernetes.protobuf',
  ]);
  const url = `https://127.0.0.1:${port}`;
  const certificate = join(keys, 'apiserver.crt');
  await until('the API server’s certificate', () => {
    child.check();
    return existsSync(certificate) && statSync(certificate).size > 0;
  });
  const ca = readFileSync(certificate, 'utf8');
  const kube = connectKube({ url, token: adminToken, ca });
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigText(url, ca, adminToken), { mode: 0o600 });
  const ready = () =>
    until(
      'the API server',
      async () => {
        child.check();
        return (await kube.raw('GET', '/readyz')).status === 200;
      },
      { timeoutMs: 120_000 },
    );
  return { child, url, ca, adminToken, kube, kubeconfig, ready };
}

function kubeconfigText(server: string, ca: string, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'lab',
    clusters: [{ name: 'lab', cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'admin' } }],
  });
}
