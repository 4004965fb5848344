import { parseArgs } from 'node:util';
import type { Tier } from './controllers.ts';
import { startStack } from './stack.ts';

/**
 * Starts a stack and keeps it until Ctrl-C, for looking around: `node test/lab/serve.ts --tier full`. One line of JSON
 * on stdout says where everything is.
 */
const { values } = parseArgs({ options: { tier: { type: 'string', default: 'core' }, folder: { type: 'string' } } });
const { url, kubeconfig, registryHost, receiverUrl, folder, pids, times, failed } = await startStack({
  tier: values.tier as Tier,
  ...(values.folder === undefined ? {} : { folder: values.folder }),
  log: (line) => void process.stderr.write(`${line}\n`),
});
process.stdout.write(`${JSON.stringify({ url, kubeconfig, registryHost, receiverUrl, folder, pids, times })}\n`);
process.stderr.write(`${(await failed).message}\n`);
process.exit(1);
