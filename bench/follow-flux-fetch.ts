import type { ClusterSettings } from '../src/config/config.ts';
import { requestReconcile } from '../src/notify/reconcile.ts';
import { secret } from '../src/secret.ts';
import { systemClock } from '../src/systems/clock-system.ts';
import { fetchHttp } from '../src/systems/http-fetch.ts';
import { isReady } from '../test/lab/flux-object.ts';
import { startIssuer, type Issuer } from '../test/lab/web-tokens.ts';
import { raiseFlux } from './follow-flux-stage.ts';
import { median } from './measure.ts';
import type { BenchOptions, Row } from './measure.ts';

const token = 'receiver-token';
/** The shortest interval that teams use; with the usual 10 minutes the floor is thirty times as high. */
const interval = '20s';
const ways = [
  ['annotate', 'annotate'],
  ['receiver', 'generic-hmac'],
  ['receiver', 'gitlab'],
  ['oidc', 'generic-oidc'],
] as const;

/** From the end of a push to the artifact in Flux, with each way of asking, beside a source that nobody asks. */
export async function benchFluxFetch({ rounds }: BenchOptions): Promise<readonly Row[]> {
  await using stage = await raiseFlux();
  const { scene, stack, watcher } = stage;
  const issuer = await startIssuer();
  try {
    await scene.secret('receiver', { token });
    const resources = [{ apiVersion: 'source.toolkit.fluxcd.io/v1', kind: 'OCIRepository', name: 'app' }];
    const validations = [{ expression: "claims.project_path == 'team/delivery'", message: 'another project' }];
    const oidcProviders = [{ issuerURL: issuer.url, audience: 'flux', validations }];
    for (const type of ['generic-hmac', 'gitlab', 'generic-oidc'])
      await scene.put('Receiver', type, {
        type,
        resources,
        ...(type === 'generic-oidc' ? { oidcProviders } : { secretRef: { name: 'receiver' } }),
      });
    for (const type of ['generic-hmac', 'gitlab', 'generic-oidc']) await scene.waitFor('Receiver', type, isReady);
    for (const [name, every] of [
      ['app', '10m'],
      ['unasked', interval],
    ] as const) {
      await stage.push(name);
      await scene.put('OCIRepository', name, scene.ociSpec(`team/${name}`, { interval: every }));
      await scene.waitFor('OCIRepository', name, ({ status }) => status?.artifact !== undefined);
    }

    /** Seconds from the end of the push to the artifact. */
    const delivered = async (name: string, ask: (wanted: string) => Promise<unknown>): Promise<number> => {
      const { wanted } = await stage.push(name);
      const pushed = performance.now();
      const fetched = stage.seen('OCIRepository', name, (status) => status.includes(`main@${wanted}`));
      await ask(wanted);
      return ((await fetched) - pushed) / 1000;
    };
    const asking = (way: string, type: string) => (wanted: string) =>
      requestReconcile({
        cluster: watcher.cluster,
        http: fetchHttp(),
        settings: {
          name: 'lab',
          notify: [way],
          receiver: { name: type, namespace: 'flux-system', url: stack.receiverUrl, type, secretEnv: 'RECEIVER' },
        } as unknown as ClusterSettings,
        followed: { app: 'app', environment: 'staging', wanted },
        source: { kind: 'OCIRepository', namespace: 'flux-system', name: 'app' },
        secretOf: () => secret(token),
        idToken: secret(idToken(issuer)),
        clock: systemClock(),
        signal: new AbortController().signal,
      });
    const unasked: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 5_000));
      unasked.push(await delivered('unasked', async () => {}));
    }
    const rows: Row[] = [];
    for (const [way, type] of ways) {
      const taken: number[] = [];
      for (let round = 0; round < rounds * 2; round += 1) taken.push(await delivered('app', asking(way, type)));
      rows.push({
        name: `push to Flux’s fetch, asked by ${way}${way === type ? '' : ` (${type})`}, beside nobody (interval ${interval})`,
        value: median(taken),
        floor: median(unasked),
        unit: 's',
        goal: 'shown',
      });
    }
    return rows;
  } finally {
    issuer.stop();
  }
}

function idToken({ url: iss, sign }: Issuer): string {
  const now = Math.floor(Date.now() / 1000);
  const times = { iat: now, nbf: now - 5, exp: now + 300 };
  return sign({ iss, sub: 'project_path:team/delivery', aud: 'flux', project_path: 'team/delivery', ...times });
}
