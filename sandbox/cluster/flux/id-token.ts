import { createPublicKey, verify } from 'node:crypto';
import { at, fields, list, text } from '../store/object.ts';
import { evaluateFilter } from './expression.ts';

const decode = (part: string): Record<string, unknown> =>
  fields(JSON.parse(Buffer.from(part, 'base64url').toString('utf8')));

async function keysOf(issuer: string, locate: (url: string) => string): Promise<readonly Record<string, unknown>[]> {
  const read = async (url: string) => fields(await (await fetch(locate(url))).json());
  const discovery = await read(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  if (discovery['issuer'] !== issuer) return [];
  return list((await read(text(discovery['jwks_uri'])))['keys']).map(fields);
}

function isSignedBy(token: string, header: Record<string, unknown>, key: Record<string, unknown>): boolean {
  const [head = '', payload = '', signature = ''] = token.split('.');
  const hash = { RS256: 'sha256', RS384: 'sha384', RS512: 'sha512', ES256: 'sha256' }[text(header['alg'])];
  if (hash === undefined) return false;
  const publicKey = createPublicKey({ key, format: 'jwk' });
  const data = Buffer.from(`${head}.${payload}`);
  return verify(hash, data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
}

/**
 * Claims of a JWT that one of a Receiver's `oidcProviders` accepts, or null: issuer, signature by the issuer's keys
 * (fetched anew each time, as the real one does), audience (default `notification-controller`), time, validations.
 */
export async function verifyIdToken(
  token: string,
  providers: readonly unknown[],
  now: () => number,
  locate: (url: string) => string,
): Promise<Record<string, unknown> | null> {
  try {
    const [head = '', payload = ''] = token.split('.');
    const header = decode(head);
    const claims = decode(payload);
    const provider = providers.find((one) => at(one, 'issuerURL') === claims['iss']);
    if (!provider) return null;
    const audience = text(at(provider, 'audience')) || 'notification-controller';
    const seconds = now() / 1000;
    if (![claims['aud']].flat().includes(audience)) return null;
    if (Number(claims['exp'] ?? 0) <= seconds || Number(claims['nbf'] ?? 0) > seconds + 300) return null;
    const keys = await keysOf(text(claims['iss']), locate);
    if (!keys.some((key) => (key['kid'] ?? header['kid']) === header['kid'] && isSignedBy(token, header, key)))
      return null;
    const variables: Record<string, unknown> = {};
    for (const variable of list(at(provider, 'variables'))) {
      variables[text(at(variable, 'name'))] = evaluateFilter(text(at(variable, 'expression')), { claims, variables });
    }
    const isValid = list(at(provider, 'validations')).every(
      (validation) => evaluateFilter(text(at(validation, 'expression')), { claims, variables }) === true,
    );
    return isValid ? claims : null;
  } catch {
    return null;
  }
}
