import { bundle } from './build.ts';
import { closingLine, runVitest } from './vitest.ts';

/** Looks at the simulated GitLab's page in headless Chromium; pictures go to the folder named by SLUICE_PICTURES. */
await bundle();
const counts = await runVitest(['--project', 'page', ...process.argv.slice(2)]);
process.stdout.write(closingLine(counts));
process.exitCode = counts.failed === 0 ? 0 : 1;
