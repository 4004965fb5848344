#!/usr/bin/env node
import { readCommandLine } from './cli.ts';
import { version } from './version.ts';

/** Entry of the CLI. Help and version need nothing else; a command brings its session with it. */
async function main(args: readonly string[]): Promise<number> {
  try {
    const invocation = readCommandLine(args, version);
    if (invocation.kind === 'run') return await (await import('./session.ts')).runCommand(invocation);
    // Importing node:fs would load what help does not need (see scripts/build.ts).
    process.getBuiltinModule('node:fs').writeSync(1, invocation.text);
    return 0;
  } catch (error) {
    return (await import('./session.ts')).refuse(args, error);
  }
}

process.exit(await main(process.argv.slice(2)));
