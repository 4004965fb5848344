import { benchStart } from '../bench/start.ts';
import { rowsText, type Row } from '../bench/measure.ts';
import { bundle } from './build.ts';

/** Prints figures beside their floors of the same run; asserts nothing. Arguments choose benches by name. */
const benches: Readonly<Record<string, () => Promise<readonly Row[]>>> = { start: benchStart };

await bundle();
const chosen = process.argv.slice(2);
for (const [name, bench] of Object.entries(benches)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  process.stdout.write(`\n${name}\n`);
  process.stdout.write(`${rowsText(await bench())}\n`);
}
