import { spawn } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';

/** Git's smart HTTP protocol by `git http-backend` (git-scm.com/docs/git-http-backend). */

/** A request for a repository, as its URL says. */
export interface GitRequest {
  /** Path of the repository without `.git`, e.g. `shop/podinfo`. */
  readonly repository: string;
  /** What follows it, e.g. `/info/refs`. */
  readonly rest: string;
  readonly service: 'git-upload-pack' | 'git-receive-pack';
}

/** The parts of a git URL, or null where it is none. */
export function parseGitRequest(url: string): GitRequest | null {
  const [path = '', query = ''] = url.split('?');
  const match = /^\/(.+?)(?:\.git)?(\/info\/refs|\/git-upload-pack|\/git-receive-pack)$/.exec(path);
  if (!match?.[1] || !match[2]) return null;
  const service = match[2] === '/info/refs' ? new URLSearchParams(query).get('service') : match[2].slice(1);
  if (service !== 'git-upload-pack' && service !== 'git-receive-pack') return null;
  return { repository: decodeURIComponent(match[1]), rest: match[2], service };
}

/**
 * Hooks for all repositories. `pre-receive` refuses what `DENY_PUSH`, `DENY_FORCE` (lines of ref names) say, in
 * GitLab's words; `post-receive` writes "old new ref" lines and push options to the file `PUSH_LOG`.
 */
export async function writeHooks(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const listed = (name: string) => `printf '%s\\n' "$${name}" | grep -Fxq -- "$ref"`;
  const scripts = {
    'pre-receive': `#!/bin/sh
while read -r old new ref; do
  if ${listed('DENY_PUSH')}; then
    echo "GitLab: You are not allowed to push code to protected branches on this project." >&2
    exit 1
  fi
  if ${listed('DENY_FORCE')}; then
    case "$new" in *[!0]*) ;; *)
      echo "GitLab: You can only delete protected branches using the web interface." >&2
      exit 1 ;;
    esac
    case "$old" in *[!0]*)
      if ! git merge-base --is-ancestor "$old" "$new"; then
        echo "GitLab: You are not allowed to force push code to a protected branch on this project." >&2
        exit 1
      fi ;;
    esac
  fi
done
exit 0
`,
    'post-receive': `#!/bin/sh
cat >> "$PUSH_LOG"
i=0
while [ "$i" -lt "\${GIT_PUSH_OPTION_COUNT:-0}" ]; do
  eval "echo \\"option \\$GIT_PUSH_OPTION_$i\\"" >> "$PUSH_LOG"
  i=$((i + 1))
done
exit 0
`,
  };
  for (const [name, text] of Object.entries(scripts)) {
    await writeFile(join(folder, name), text);
    await chmod(join(folder, name), 0o755);
  }
}

/** Answers one request from the bare repository `<root>/<name>`. Resolves when git is done and the answer is sent. */
export async function serveGit(
  request: IncomingMessage,
  response: ServerResponse,
  options: {
    readonly root: string;
    readonly name: string;
    readonly rest: string;
    readonly user: string;
    /** Whole environment of git, PATH included. */
    readonly env: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const query = request.url?.split('?')[1] ?? '';
  const child = spawn('git', ['http-backend'], {
    env: {
      ...options.env,
      GIT_PROJECT_ROOT: options.root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: `/${options.name}${options.rest}`,
      QUERY_STRING: query,
      REQUEST_METHOD: request.method ?? 'GET',
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      ...(request.headers['content-length'] ? { CONTENT_LENGTH: request.headers['content-length'] } : {}),
      ...(request.headers['content-encoding'] ? { HTTP_CONTENT_ENCODING: request.headers['content-encoding'] } : {}),
      ...(typeof request.headers['git-protocol'] === 'string' ? { GIT_PROTOCOL: request.headers['git-protocol'] } : {}),
      REMOTE_USER: options.user,
      REMOTE_ADDR: '127.0.0.1',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  // git may end before it has read everything (a refused pack): the broken pipe says nothing new.
  child.stdin.on('error', () => undefined);
  request.pipe(child.stdin);
  let head = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    child.stdout.off('data', onData);
    const { status, headers } = parseHead(head.subarray(0, end).toString('latin1'));
    response.writeHead(status, headers);
    response.write(head.subarray(end + 4));
    child.stdout.pipe(response, { end: false });
  };
  child.stdout.on('data', onData);
  response.on('close', () => {
    if (child.exitCode === null && !response.writableFinished) child.kill();
  });
  await new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve());
  });
  if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' });
}

/** CGI's header lines: `Status: 404 Not Found` and HTTP headers. */
function parseHead(text: string): { readonly status: number; readonly headers: Record<string, string> } {
  let status = 200;
  const headers: Record<string, string> = {};
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === 'status') status = Number.parseInt(value, 10);
    else headers[name] = value;
  }
  return { status, headers };
}
