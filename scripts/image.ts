import { existsSync } from 'node:fs';
import { bundle } from './build.ts';
import { closingLines, runVitest } from './vitest.ts';

/** Builds the runner image with buildah on stand-ins made on this machine, and runs the CLI inside it. */
if (process.getuid?.() !== 0 || process.platform !== 'linux' || !existsSync('/etc/debian_version')) {
  process.stderr.write(
    'error: npm run test:image builds an image without a container engine: it must run as root on Debian (sudo npm run test:image).\n',
  );
  process.exitCode = 2;
} else {
  await bundle();
  const counts = await runVitest(['--project', 'image', ...process.argv.slice(2)]);
  process.stdout.write(closingLines(counts));
  process.exitCode = counts.failed === 0 ? 0 : 1;
}
