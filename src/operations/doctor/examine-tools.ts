import type { Processes } from '../../systems/process.ts';
import { attempt } from './attempt.ts';
import type { Finding } from './finding.ts';
import { judgeTool, toolNeeds } from './tools.ts';

const ANY = Array.from({ length: 256 }, (_, code) => code);

/** Looks at the programs that sluice calls. */
export async function examineTools(processes: Processes): Promise<readonly Finding[]> {
  return Promise.all(
    toolNeeds.map(async (need) => {
      const run = await attempt(() => processes.run(need.tool, need.args, { accept: ANY, timeoutMs: 20_000 }));
      return judgeTool(need, 'answer' in run ? run.answer.text : null);
    }),
  );
}
