import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What the browser shows of a page (its DOM), and the size of its picture in bytes. */
export interface Seen {
  readonly dom: string;
  readonly picture: number;
}

/** Headless Chromium; pictures go to the folder SLUICE_PICTURES, if set, else below `folder`. */
export async function openBrowser(
  folder: string,
  size = { width: 1280, height: 900 },
): Promise<(url: string, name: string) => Promise<Seen>> {
  const pictures = resolve(process.env['SLUICE_PICTURES'] ?? join(folder, 'pictures'));
  await mkdir(pictures, { recursive: true });
  return async (url, name) => {
    // A profile of its own for each run: what the run before has not let go of yet would be asked instead.
    const common = async () => [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--hide-scrollbars',
      `--window-size=${size.width},${size.height}`,
      `--user-data-dir=${await mkdtemp(join(folder, 'chromium-'))}`,
    ];
    const options = { timeout: 100_000, maxBuffer: 1 << 26 };
    const file = join(pictures, `${name}.png`);
    await run('chromium', [...(await common()), `--screenshot=${file}`, url], options);
    const { stdout } = await run('chromium', [...(await common()), '--dump-dom', url], options);
    return { dom: stdout, picture: (await readFile(file)).length };
  };
}
