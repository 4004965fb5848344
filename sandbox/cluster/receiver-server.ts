import { createServer, type Server } from 'node:http';
import type { ServiceProxy } from './api/server.ts';
import { answerHook } from './flux/receiver.ts';
import type { World } from './flux/world.ts';
import { KEEP_ALIVE_MS } from '../keep-alive.ts';

const services = [
  'webhook-receiver',
  'http:webhook-receiver',
  'webhook-receiver:80',
  'http:webhook-receiver:80',
  'http:webhook-receiver:http',
  'webhook-receiver:http',
];

/** The service proxy of the API server: reaches notification-controller's receiver and nothing else. */
export function receiverProxy(world: World): ServiceProxy {
  return async (namespace, service, method, path, headers, body) => {
    if (namespace !== 'flux-system' || !services.includes(service)) {
      const message = `services "${service.split(':').at(service.includes(':') ? 1 : 0)}" not found`;
      return {
        status: 404,
        body: JSON.stringify({
          kind: 'Status',
          apiVersion: 'v1',
          metadata: {},
          status: 'Failure',
          message,
          reason: 'NotFound',
          code: 404,
        }),
      };
    }
    if (!path.startsWith('/hook/')) return { status: 404, body: '404 page not found\n' };
    return { status: await answerHook(world, { uri: path, headers, body: method === 'POST' ? body : '' }), body: '' };
  };
}

/** notification-controller's own receiver port, where the Authorization header arrives. */
export function createReceiverServer(world: World): Server {
  return createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const headers = Object.fromEntries(
        Object.entries(request.headers).map(([key, value]) => [key, [value].flat().join(', ')]),
      );
      const uri = request.url ?? '/';
      const answer = uri.startsWith('/hook/')
        ? answerHook(world, { uri, headers, body: Buffer.concat(parts).toString('utf8') })
        : Promise.resolve(404);
      answer.then(
        (code) => response.writeHead(code).end(),
        () => response.writeHead(500).end(),
      );
    });
  });
}
