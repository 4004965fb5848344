import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { templatesFolder } from './template.ts';

const run = promisify(execFile);
const program = fileURLToPath(import.meta.resolve('gitlab-ci-local'));

/** A project whose CI configuration includes our templates, read by gitlab-ci-local (schema validation and all). */
export interface LocalProject extends AsyncDisposable {
  /** Name, stage, when and needs of each job. */
  list(configuration: string, args?: readonly string[]): Promise<readonly Listed[]>;
  /** The configuration with its includes. */
  preview(configuration: string, args?: readonly string[]): Promise<Readonly<Record<string, PreviewedJob>>>;
  /** Runs a job in a shell, as a runner does, with `sluice` replaced by a recorder. */
  run(configuration: string, job: string): Promise<Recorded>;
  /** What a user is told of a configuration that cannot be read. */
  refusal(configuration: string): Promise<string>;
}

/** One row of `gitlab-ci-local --list-json`. */
export interface Listed {
  readonly name: string;
  readonly stage: string;
  readonly when: string;
  readonly allow_failure: unknown;
  readonly needs?: readonly { readonly job: string; readonly optional?: boolean }[];
}

/** A job as gitlab-ci-local understands it. */
export type PreviewedJob = Readonly<Record<string, unknown>> & {
  readonly variables: Readonly<Record<string, string>>;
  readonly script: readonly string[];
};

/** What the recorder in place of `sluice` saw. */
export interface Recorded {
  /** Arguments of each call. */
  readonly calls: readonly (readonly string[])[];
  /** Environment of the first call. */
  readonly env: Readonly<Record<string, string>>;
  /** Files of the checkout that were not there before. */
  readonly left: readonly string[];
}

const recorder = `#!/bin/sh
printf '%s\\0' "$#" "$@" >> "$RECORDED/calls"
test -e "$RECORDED/env" || env -0 > "$RECORDED/env"
`;

/** Opens a project on the branch `main` of `shop/delivery`. */
export async function localProject(): Promise<LocalProject> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  const git = (...args: readonly string[]) => run('git', [...args], { cwd: folder });
  await cp(templatesFolder, join(folder, 'templates'), { recursive: true });
  await writeFile(join(folder, '.gitlab-ci.yml'), '{}\n');
  await git('init', '-q', '-b', 'main');
  await git('remote', 'add', 'origin', 'https://gitlab.example.com/shop/delivery.git');
  await git('add', '.');
  await git('-c', 'user.name=x', '-c', 'user.email=x@example.com', 'commit', '-q', '-m', 'Start');
  await git('update-ref', 'refs/remotes/origin/main', 'HEAD');
  await git('symbolic-ref', 'refs/remotes/origin/HEAD', 'refs/remotes/origin/main');
  async function ask(
    configuration: string,
    args: readonly string[],
    variables: Readonly<Record<string, string>> = {},
  ): Promise<{ ok: boolean; text: string }> {
    await writeFile(join(folder, '.gitlab-ci.yml'), configuration);
    const env = { PATH: process.env['PATH'], HOME: folder, ...variables };
    try {
      const { stdout } = await run(process.execPath, [program, '--no-color', '--home', folder, ...args], {
        cwd: folder,
        env,
      });
      return { ok: true, text: stdout };
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      return { ok: false, text: `${stdout}\n${stderr}` };
    }
  }
  async function good(
    configuration: string,
    args: readonly string[],
    variables: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const { ok, text } = await ask(configuration, args, variables);
    if (!ok) throw new Error(text);
    return text;
  }
  return {
    async list(configuration, args = []) {
      const text = await good(configuration, ['--list-json', ...args]);
      return JSON.parse(text.slice(text.indexOf('['))) as Listed[];
    },
    async preview(configuration, args = []) {
      await good(configuration, ['--list-json', ...args]);
      const text = await readFile(join(folder, '.gitlab-ci-local', 'expanded-gitlab-ci.yml'), 'utf8');
      return parse(text, { merge: true }) as Record<string, PreviewedJob>;
    },
    async run(configuration, job) {
      const recorded = await mkdtemp(join(tmpdir(), 'sluice-test-'));
      try {
        await writeFile(join(recorded, 'sluice'), recorder, { mode: 0o755 });
        await good(configuration, [job, '--force-shell-executor', '--no-artifacts-to-source'], {
          PATH: `${recorded}:${process.env['PATH']}`,
          RECORDED: recorded,
        });
        const read = async (name: string) => (await readFile(join(recorded, name), 'utf8')).split('\0').slice(0, -1);
        const calls: string[][] = [];
        for (const words = await read('calls'); words.length > 0;)
          calls.push(words.splice(0, 1 + Number(words[0])).slice(1));
        const env = (await read('env')).map((entry) => entry.split(/=(.*)/s, 2) as [string, string]);
        const { stdout } = await git('ls-files', '--others', '--exclude', '.gitlab-ci-local');
        return { calls, env: Object.fromEntries(env), left: stdout.split('\n').filter((line) => line !== '') };
      } finally {
        await rm(recorded, { recursive: true, force: true, maxRetries: 5 });
      }
    },
    async refusal(configuration) {
      const { ok, text } = await ask(configuration, ['--list-json']);
      if (ok) throw new Error(`the configuration was accepted:\n${text}`);
      return text.replaceAll(/\s+/g, ' ');
    },
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
