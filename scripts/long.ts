import { bundle } from './build.ts';
import { closingLine, runVitest } from './vitest.ts';

/** The stories that take minutes: overlapping pipelines, the truth table, and the lab's stories on the simulation. */
await bundle();
const counts = await runVitest(['--project', 'long', '--project', 'twin', ...process.argv.slice(2)]);
process.stdout.write(closingLine(counts));
process.exitCode = counts.failed === 0 ? 0 : 1;
