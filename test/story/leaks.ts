import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { leakForms } from '../../src/secret.ts';

/** Looks at the arguments of all processes while a story runs. */
export function watchArguments(): { readonly seen: ReadonlySet<string>; stop(): void } {
  const seen = new Set<string>();
  const look = async () => {
    const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
    await Promise.all(
      pids.map(async (pid) => {
        const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
        if (text !== '') seen.add(text);
      }),
    );
  };
  let running = false;
  const timer = setInterval(() => {
    if (running) return;
    running = true;
    void look().finally(() => (running = false));
  }, 15);
  return { seen, stop: () => clearInterval(timer) };
}

/** Every place in a text where one of the secrets stands in any form; the secret itself is not shown. */
export function leaksIn(place: string, text: string, secrets: readonly string[]): readonly string[] {
  return secrets.flatMap((value, index) =>
    leakForms(value).some((form) => text.includes(form)) ? [`secret ${index} in ${place}`] : [],
  );
}

/** Files below a folder that hold a secret in any form; `skip` leaves out what the simulated world keeps for itself. */
export async function leaksBelow(
  folder: string,
  secrets: readonly string[],
  skip: (path: string) => boolean,
): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const found = await Promise.all(
    files
      .filter((path) => !skip(path))
      .map(async (path) =>
        leaksIn(path.slice(folder.length + 1), await readFile(path, 'latin1').catch(() => ''), secrets),
      ),
  );
  return found.flat();
}
