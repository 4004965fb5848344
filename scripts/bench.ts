import { parseArgs } from 'node:util';
import { benchArtifact } from '../bench/artifact.ts';
import { benchContention } from '../bench/contention.ts';
import { benchEdit } from '../bench/edit.ts';
import { type BenchOptions, rowsText, type Row } from '../bench/measure.ts';
import { benchPublish } from '../bench/publish.ts';
import { benchFollow } from '../bench/follow.ts';
import { benchFluxFetch } from '../bench/follow-flux-fetch.ts';
import { benchFluxLoad } from '../bench/follow-flux-load.ts';
import { benchFluxStatus } from '../bench/follow-flux-status.ts';
import { benchSync } from '../bench/sync.ts';
import { benchStart } from '../bench/start.ts';
import { benchUpdate } from '../bench/update-history.ts';
import { bundle } from './build.ts';

/**
 * Prints figures beside their floors of the same run; asserts nothing. Arguments choose benches by name; options make
 * them smaller or larger, e.g. `npm run bench -- contention --writers 8,32`.
 */
const benches: Readonly<Record<string, (options: BenchOptions) => Promise<readonly Row[]>>> = {
  start: benchStart,
  contention: benchContention,
  update: benchUpdate,
  edit: benchEdit,
  artifact: benchArtifact,
  publish: benchPublish,
  sync: benchSync,
  follow: benchFollow,
  'flux-status': benchFluxStatus,
  'flux-fetch': benchFluxFetch,
  'flux-load': benchFluxLoad,
};
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    writers: { type: 'string', default: '8,32,100' },
    commits: { type: 'string', default: '100000' },
    manifests: { type: 'string', default: '2000' },
    files: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '5' },
  },
});
const unknown = positionals.filter((name) => !(name in benches));
if (unknown.length > 0) throw new Error(`no bench ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}`);
const options: BenchOptions = {
  writers: values.writers.split(',').map(Number),
  commits: Number(values.commits),
  manifests: Number(values.manifests),
  files: Number(values.files),
  rounds: Number(values.rounds),
};

await bundle();
for (const [name, bench] of Object.entries(benches)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  process.stdout.write(`\n${name}\n${rowsText(await bench(options))}\n`);
}
