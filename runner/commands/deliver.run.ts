import type { Publication } from '../../src/artifact/published.ts';
import { worstExit } from '../../src/fault.ts';
import type { CommandResult } from '../command.ts';
import type { Context } from '../context.ts';
import { alignedTable } from '../output/table.ts';
import { outcomeWord, publishCommit } from './publish.run.ts';
import { readRequest, syncPublished } from './sync.run.ts';

/** `deliver`. Faults: those of `publish` and `sync`. */
export async function run(context: Context): Promise<CommandResult> {
  const { values } = context;
  // `publish` can write to a folder, or push what one holds: flags that `deliver` has not.
  const pushing = {
    ...values,
    string: (name: string) => (name.endsWith('oci-layout') ? undefined : values.string(name)),
  };
  const request = await readRequest(context);
  if (!values.boolean('dry-run')) await context.gitlab();
  const { publication, exit } = await publishCommit({ ...context, values: pushing });
  const synced = await syncPublished(context, request, publication);
  const published = tableOf(publication);
  return {
    ...synced,
    record: {
      ...synced.record,
      branch: publication.branch,
      ranges: publication.ranges,
      artifacts: publication.artifacts,
    },
    text: `${published}\n\n${synced.text}`,
    exit: worstExit([exit, synced.exit]),
  };
}

function tableOf({ artifacts }: Publication): string {
  const rows = artifacts.map((one) => [
    one.environment,
    one.artifact,
    outcomeWord(one),
    one.digest?.slice(0, 19) ?? '-',
    one.reason,
  ]);
  return alignedTable([['ENVIRONMENT', 'ARTIFACT', 'OUTCOME', 'DIGEST', 'REASON'], ...rows]);
}
