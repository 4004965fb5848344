import { bundle } from './build.ts';
import { closingLines, runVitest } from './vitest.ts';

/** Looks at the simulated GitLab's page in headless Chromium; pictures go to the folder named by SLUICE_PICTURES. */
await bundle();
const counts = await runVitest(['--project', 'page', ...process.argv.slice(2)]);
process.stdout.write(closingLines(counts));
process.exitCode = counts.failed === 0 ? 0 : 1;
