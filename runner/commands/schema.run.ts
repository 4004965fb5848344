import { z } from 'zod';
import { SluiceYaml } from '../../src/config/schema.ts';
import { suggestion } from '../../src/config/nearest.ts';
import { Fault } from '../../src/fault.ts';
import type { CommandResult } from '../command.ts';
import type { Context } from '../context.ts';
import { results } from '../output/results.ts';

const schemas: Readonly<Record<string, z.ZodType>> = { 'sluice.yaml': SluiceYaml, ...results };

/** Names that have a schema. */
export const schemaNames: readonly string[] = Object.keys(schemas);

/** The JSON Schema (draft 7, as editors understand it) of sluice.yaml or of a command's document. */
export function jsonSchema(name: string): Readonly<Record<string, unknown>> {
  const schema = schemas[name];
  if (!schema) throw new Fault('usage', `there is no schema ${name}. ${suggestion(name, schemaNames)}`);
  return {
    title: name === 'sluice.yaml' ? 'sluice.yaml' : `sluice ${name} --format json`,
    ...z.toJSONSchema(schema, { target: 'draft-7', io: name === 'sluice.yaml' ? 'input' : 'output' }),
  };
}

/** Prints one schema. Fault `usage` for a name that has none. */
export async function run(context: Context): Promise<CommandResult> {
  const schema = jsonSchema(context.values.arguments[0] ?? 'sluice.yaml');
  return { record: { outcome: 'done', schema }, text: JSON.stringify(schema, null, 2), exit: 0 };
}
