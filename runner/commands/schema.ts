import type { Command } from '../command.ts';

export const schemaCommand: Command = {
  name: 'schema',
  summary: 'print a JSON Schema',
  description:
    'Prints the JSON Schema of sluice.yaml (for editors), or of the document that a command writes with --format json.',
  arguments: [
    { name: 'name', summary: 'sluice.yaml (default) or the name of a command', required: false, variadic: false },
  ],
  flags: [],
  examples: [
    ['The schema of sluice.yaml, for editors', 'schema > sluice.schema.json'],
    ['The schema of what `publish --format json` prints', 'schema publish'],
    ['All names that have a schema', 'schema --help'],
  ],
  load: async () => (await import('./schema.run.ts')).run,
};
