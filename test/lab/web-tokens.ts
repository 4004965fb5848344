import { createSign, generateKeyPairSync } from 'node:crypto';
import { startWebServer } from './web-server.ts';

/** A key that signs JSON Web Tokens (RS256) and the set that proves them. */
export function connectSigner(kid = 'lab') {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return {
    jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' }] },
    sign(claims: object): string {
      const input = `${encode({ alg: 'RS256', typ: 'JWT', kid })}.${encode(claims)}`;
      return `${input}.${createSign('RSA-SHA256').update(input).sign(privateKey).toString('base64url')}`;
    },
  };
}

/** An issuer of such tokens on loopback, with the documents by which OpenID Connect finds its keys. */
export async function startIssuer() {
  const signer = connectSigner();
  const { url, stop } = await startWebServer((request) => ({
    json:
      request.url === '/jwks'
        ? signer.jwks
        : { issuer: url, jwks_uri: `${url}/jwks`, id_token_signing_alg_values_supported: ['RS256'] },
  }));
  return { url, sign: (claims: object) => signer.sign(claims), stop };
}

export type Issuer = Awaited<ReturnType<typeof startIssuer>>;
