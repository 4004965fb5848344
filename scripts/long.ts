import { bundle } from './build.ts';
import { closingLines, runVitest, sumOf } from './vitest.ts';

/**
 * The stories that take minutes: overlapping pipelines, the truth table, and the lab's stories on the simulation; and
 * the manifest engine's properties, tried on ten times as many documents. Arguments choose among the stories.
 */
const wanted = process.argv.slice(2);
await bundle();
const stories = await runVitest(['--project', 'long', '--project', 'twin', ...wanted]);
const properties =
  wanted.length > 0
    ? { passed: 0, failed: 0, failures: [] }
    : await runVitest(['--project', 'unit', '--testTimeout', '600000', 'test/manifest/'], {
        ...process.env,
        SLUICE_TEST_EFFORT: '10',
      });
const counts = sumOf(stories, properties);
process.stdout.write(closingLines(counts));
process.exitCode = counts.failed === 0 ? 0 : 1;
