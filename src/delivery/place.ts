import { Fault } from '../fault.ts';

/** Where the delivery repository is. */
export interface DeliveryPlace {
  readonly url: string;
  /** Full path of the project on this GitLab; else its URL. */
  readonly project: string;
  /** Is `project` a path on this GitLab, whose API can be asked? */
  readonly onGitLab: boolean;
}

/**
 * Reads `--delivery`: a project path on `serverUrl`, or a URL. Fault `usage` where it is neither, or where a path is
 * given and the server's address is not known.
 */
export function deliveryPlace(text: string, serverUrl: string | undefined): DeliveryPlace {
  const server = serverUrl?.replace(/\/+$/, '');
  if (/^[\w.-]+(\/[\w.-]+)+$/.test(text) && !text.split('/').some((part) => /^\.+$/.test(part))) {
    if (server === undefined) {
      throw new Fault('usage', `--delivery ${text}: the address of GitLab is not known outside a job`, {
        hint: 'Give the whole URL, or --gitlab URL.',
      });
    }
    const project = text.replace(/\.git$/, '');
    return { url: `${server}/${project}.git`, project, onGitLab: true };
  }
  const path = pathOf(text);
  if (path === null) {
    throw new Fault('usage', `--delivery ${JSON.stringify(text)} is neither a project path nor a URL`, {
      hint: 'Write e.g. shop/delivery or https://gitlab.example.com/shop/delivery.git.',
    });
  }
  const known = server !== undefined && hostOf(text) === hostOf(server);
  const base = known && URL.canParse(server) ? new URL(server).pathname.replace(/^\/|\/$/g, '') : '';
  const project = base !== '' && path.startsWith(`${base}/`) ? path.slice(base.length + 1) : path;
  return { url: text, project: known ? project : text.replace(/^(\w+:\/\/)[^/@]*@/, '$1'), onGitLab: known };
}

function pathOf(url: string): string | null {
  const path =
    URL.canParse(url) && /^[a-z+]+:\/\//i.test(url) ? new URL(url).pathname : /^[\w.-]+@[^/:]+:(.+)$/.exec(url)?.[1];
  const clean = path?.replace(/^\/+|\/+$/g, '').replace(/\.git$/, '');
  return clean === undefined || clean === '' ? null : clean;
}

function hostOf(url: string): string | undefined {
  const scp = /^[\w.-]+@([^/:]+):/.exec(url)?.[1];
  if (scp !== undefined) return scp;
  if (!URL.canParse(url)) return undefined;
  const { protocol, hostname, host } = new URL(url);
  return protocol === 'ssh:' ? hostname : host;
}
