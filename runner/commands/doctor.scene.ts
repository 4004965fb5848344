import type { Config, Pair } from '../../src/config/config.ts';
import { allPairs, environmentOf } from '../../src/config/pair.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { answerOr, attempt, type Attempt } from '../../src/operations/doctor/attempt.ts';
import type { TokenInHand } from '../../src/operations/doctor/examine-gitlab.ts';
import type { Check } from '../../src/operations/doctor/finding.ts';
import type { Context } from '../context.ts';
import { readDoctorPlace, type DoctorPlace } from './doctor.place.ts';

/** What is known before anything is asked. */
export interface Scene {
  readonly context: Context;
  readonly place: DoctorPlace;
  /** sluice.yaml, or why there is none. */
  readonly found: Attempt<Config>;
  readonly config: Config | null;
  /** Pairs of the environments asked for. */
  readonly pairs: readonly Pair[];
  /** SLUICE_GITLAB_TOKEN, where there is one and GitLab's address is known. */
  readonly token: TokenInHand | null;
  readonly inJob: boolean;
  readonly wants: (check: Check) => boolean;
}

/** Variable of the token that the delivery project is looked at with. */
export const TOKEN = 'SLUICE_GITLAB_TOKEN';

/** `asked`: the checks that are wanted; none: all. Faults: those of the flags. */
export async function readScene(context: Context, asked: readonly string[]): Promise<Scene> {
  const place = await readDoctorPlace(context);
  const token = await tokenOf(context, place, TOKEN);
  const found = await readConfig(context, place, token);
  const config = answerOr(found, null);
  return {
    context,
    place,
    found,
    config,
    pairs: pairsOf(context, config, place),
    token,
    inJob: context.job.jobId !== undefined,
    wants: (check) => asked.length === 0 || asked.includes(check),
  };
}

/** A token by variable, with the GitLab to ask. */
export async function tokenOf(context: Context, { url }: DoctorPlace, variable: string): Promise<TokenInHand | null> {
  const secret = context.secret(variable);
  if (!secret || url === null) return null;
  return { variable, secret, gitlab: await context.inspect.gitlab(url, secret, 'private') };
}

/** sluice.yaml of this folder, else that of the delivery project. */
async function readConfig(
  context: Context,
  { project, branch }: DoctorPlace,
  token: TokenInHand | null,
): Promise<Attempt<Config>> {
  const here = await attempt(() => context.config());
  if ('answer' in here || here.fault.code !== 'config_missing' || context.values.given('config')) return here;
  if (token === null || project === null) return here;
  const there = await attempt(async () => {
    const ref = branch ?? (await token.gitlab.project(project))?.defaultBranch ?? 'main';
    const text = await token.gitlab.file(project, 'sluice.yaml', ref);
    return text === null ? null : parseConfig(text, `${project}: sluice.yaml`);
  });
  if ('fault' in there) return there.fault.code === 'config_invalid' ? there : here;
  return there.answer === null ? here : { answer: there.answer };
}

function pairsOf({ values, job }: Context, config: Config | null, { registry }: DoctorPlace): readonly Pair[] {
  if (config === null) return [];
  const names = config.environments.map(({ name }) => name);
  const asked = values.list('environment').map((name) => environmentOf(config, name).name);
  const own = job.environment;
  const wanted = asked.length > 0 ? asked : own !== undefined && names.includes(own) ? [own] : names;
  return allPairs(config, registry ?? undefined).filter(({ environment }) => wanted.includes(environment.name));
}
