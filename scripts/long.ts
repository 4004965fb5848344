import { bundle } from './build.ts';
import { closingLine, runVitest } from './vitest.ts';

/** The stories that take minutes: pipelines that overlap, are canceled and run again; the truth table. */
await bundle();
const counts = await runVitest(['--project', 'long', ...process.argv.slice(2)]);
process.stdout.write(closingLine(counts));
process.exitCode = counts.failed === 0 ? 0 : 1;
