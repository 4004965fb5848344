import { writeLayout } from '../../artifact/layout.ts';
import type { Clock } from '../../systems/clock.ts';
import type { Files } from '../../systems/files.ts';
import type { RegistryInspection } from '../../systems/inspection.ts';
import type { Registry } from '../../systems/registry.ts';
import { attempt } from './attempt.ts';
import type { Finding } from './finding.ts';
import { judgeRegistry, type RegistryFacts } from './registry.ts';

/** Tag of the trial artifact; removed again. */
const TRIAL = 'sluice-doctor';

/**
 * Looks at a repository that artifacts go to: credential, rights, media types. `probe`: a small artifact is pushed beside
 * the others and removed.
 */
export async function examineRegistry(
  systems: {
    readonly inspection: RegistryInspection;
    readonly registry: Registry;
    readonly files: Files;
    readonly clock: Clock;
  },
  place: { readonly repository: string; readonly tag: string; readonly inJob: boolean; readonly probe: boolean },
): Promise<readonly Finding[]> {
  const { inspection, registry } = systems;
  const { repository, tag, inJob } = place;
  const access = await attempt(() => inspection.access(repository));
  const reading = 'answer' in access ? await attempt(() => registry.manifest(repository, tag)) : null;
  const manifest: RegistryFacts['manifest'] = reading !== null && 'answer' in reading ? reading.answer : 'unread';
  const trial = place.probe && 'answer' in access ? await tryPush(systems, repository) : null;
  return judgeRegistry({ repository, known: inspection.knows(repository), access, manifest, trial, inJob });
}

async function tryPush(
  { registry, files, clock }: Parameters<typeof examineRegistry>[0],
  repository: string,
): Promise<RegistryFacts['trial']> {
  await using folder = await files.temporary('sluice-doctor-');
  const file = { path: 'doctor', executable: false, content: Buffer.from('A trial of sluice doctor.\n') };
  const about = { title: TRIAL, revision: 'none', source: 'sluice doctor', createdAt: Math.floor(clock.now() / 1000) };
  await writeLayout(files, folder.path, [file], about, [TRIAL]);
  const pushed = await attempt(() => registry.push(folder.path, TRIAL, repository, [TRIAL]));
  if ('fault' in pushed) return { refused: pushed.fault };
  await attempt(() => registry.remove(repository, TRIAL));
  return { refused: null };
}
