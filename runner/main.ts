#!/usr/bin/env node
import { readCommandLine } from './cli.ts';
import { oldestNode, version } from './version.ts';

/** Entry of the CLI. Help and version need nothing else; a command brings its session with it. */
async function main(args: readonly string[]): Promise<number> {
  try {
    const invocation = readCommandLine(args, version);
    if (invocation.kind === 'run') {
      if (Number.parseInt(process.versions.node, 10) < oldestNode) return await onOlderNode(args);
      keepCompiled();
      return await (await import('./session.ts')).runCommand(invocation);
    }
    // Importing node:fs would load what help does not need (see scripts/build.ts).
    process.getBuiltinModule('node:fs').writeSync(1, invocation.text);
    return 0;
  } catch (error) {
    if (Number.parseInt(process.versions.node, 10) < oldestNode) return onOlderNode(args);
    return (await import('./session.ts')).refuse(args, error);
  }
}

/**
 * Spares compiling the same chunks in every run, where they stand in a folder that only the owner of the program writes
 * to; where that cannot be written, what the image brought is read
 * (https://nodejs.org/api/module.html#module-compile-cache).
 */
function keepCompiled(): void {
  if (import.meta.filename.endsWith('.js'))
    process.getBuiltinModule('node:module').enableCompileCache(`${import.meta.dirname}/compiled`);
}

async function onOlderNode(args: readonly string[]): Promise<number> {
  const { underInstalledNode } = await import('./older-node.ts');
  const code = await underInstalledNode(process.argv[1] ?? '', args);
  if (code !== undefined) return code;
  process.stderr.write(`error: sluice needs Node ${oldestNode} or newer; this is ${process.version}\n`);
  return 2;
}

process.exit(await main(process.argv.slice(2)));
