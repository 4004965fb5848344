import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { jsonSchema, schemaNames } from '../../runner/commands/schema.run.ts';
import { commandsPage } from './commands.ts';
import { componentsPage } from './components.ts';
import { errorsPage, exitCodesPage } from './errors.ts';
import { settingsPage } from './settings.ts';

/** Every generated file of the repository: path → text. */
export async function generatedFiles(root: string): Promise<ReadonlyMap<string, string>> {
  const folder = join(root, 'templates');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.yml')).toSorted();
  const templates = new Map(
    await Promise.all(
      names.map(async (name) => [name.replace('.yml', ''), await readFile(join(folder, name), 'utf8')] as const),
    ),
  );
  const schemas = schemaNames.map(
    (name) =>
      [
        `schema/${name === 'sluice.yaml' ? 'sluice' : name}.schema.json`,
        `${JSON.stringify(jsonSchema(name), null, 2)}\n`,
      ] as const,
  );
  return new Map([
    ['docs/errors.md', errorsPage()],
    ['docs/exit-codes.md', exitCodesPage()],
    ['docs/commands.md', commandsPage()],
    ['docs/sluice-yaml.md', settingsPage()],
    ['docs/components.md', componentsPage(templates)],
    ...schemas,
  ]);
}
