import { spawn } from 'node:child_process';
import { join } from 'node:path';

/** How a program ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** buildah with a storage of its own below a folder; containers run without an engine (`chroot`). */
export interface Buildah {
  /** Runs `buildah COMMAND …`; rejects with its output when it fails. Answers stdout, trimmed. */
  (command: string, ...args: readonly string[]): Promise<string>;
  /** As above, and answers how it ended. */
  readonly attempt: (command: string, ...args: readonly string[]) => Promise<Ended>;
}

/** Runs a program to its end. */
function runProgram(program: string, args: readonly string[], env = process.env): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on('data', (data: Buffer) => stdout.push(data));
    child.stderr.on('data', (data: Buffer) => stderr.push(data));
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({ code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }),
    );
  });
}

/** As `runProgram`, and rejects with what the program said when it fails. */
export async function mustRun(program: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`);
  return stdout.trim();
}

/** Opens a storage below the folder. */
export function openBuildah(folder: string): Buildah {
  const own = ['--storage-driver', 'vfs', '--root', join(folder, 'storage'), '--runroot', join(folder, 'run')];
  return Object.assign((command: string, ...args: readonly string[]) => mustRun('buildah', ...own, command, ...args), {
    attempt: (command: string, ...args: readonly string[]) => runProgram('buildah', [...own, command, ...args]),
  });
}
