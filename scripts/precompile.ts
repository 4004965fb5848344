import { readdir, symlink } from 'node:fs/promises';
import { enableCompileCache, flushCompileCache } from 'node:module';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

/**
 * Compiles the chunks of a packaged CLI into its folder `compiled` (see runner/main.ts), for a place that its users
 * cannot write to. Arguments: the folder of the CLI, and ids of users beside this one: Node looks by `…-<user id>`.
 */
const [folder = 'dist', ...users] = parseArgs({ allowPositionals: true }).positionals;
const compiled = resolve(folder, 'compiled');
enableCompileCache(compiled);
const chunks = resolve(folder, 'chunks');
for (const name of await readdir(chunks)) if (name.endsWith('.js')) await import(join(chunks, name));
flushCompileCache();
for (const name of await readdir(compiled))
  for (const user of users) await symlink(name, join(compiled, name.replace(/-\d+$/, `-${user}`)));
process.stderr.write(`compiled into ${compiled}\n`);
process.exit(0);
