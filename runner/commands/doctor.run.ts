import { answerOr, attempt } from '../../src/operations/doctor/attempt.ts';
import { judgeCleanup } from '../../src/operations/doctor/cleanup.ts';
import {
  examineApplications,
  examineBranch,
  examinePipeline,
  examineReach,
  examineToken,
  examineVariables,
  readProject,
} from '../../src/operations/doctor/examine-gitlab.ts';
import { examineRegistry } from '../../src/operations/doctor/examine-registry.ts';
import { examineTools } from '../../src/operations/doctor/examine-tools.ts';
import { exitOfFindings, judge, sumOfFindings, type Check, type Finding } from '../../src/operations/doctor/finding.ts';
import { judgePosted } from '../../src/operations/doctor/posters.ts';
import { judgeProject } from '../../src/operations/doctor/membership.ts';
import type { CommandResult } from '../command.ts';
import type { Context } from '../context.ts';
import { examineClusters } from './doctor.clusters.ts';
import { readScene, TOKEN, tokenOf, type Scene } from './doctor.scene.ts';
import { doctorResult } from './doctor.text.ts';

/** `doctor`. Faults: those of the flags alone; all others are findings. */
export async function run(context: Context): Promise<CommandResult> {
  const { values, reporter, processes } = context;
  const asked = values.list('check');
  const scene = await readScene(context, asked);
  const { wants, place } = scene;
  reporter.step('Looking at the chain');
  const findings = await Promise.all([
    wants('tools') ? examineTools(processes) : [],
    examineGitLab(scene),
    wants('projects') ? examineProjects(scene) : [],
    wants('registry') ? examineRegistries(scene) : [],
    examineClusters(scene),
  ]);
  const looked = [...judgeConfig(scene), ...findings.flat()].filter(({ check }) => wants(check));
  const all = [...looked, ...asked.flatMap((check) => notLooked(check as Check, looked, scene))];
  return doctorResult(all, { outcome: sumOfFindings(all), exit: exitOfFindings(all), place });
}

/** A check that was asked for by name says why it has nothing to tell. */
function notLooked(check: Check, looked: readonly Finding[], { config, token, place }: Scene): readonly Finding[] {
  if (looked.some((finding) => finding.check === check)) return [];
  const { ok, unknown } = judge(check);
  if (config === null) {
    const give =
      'Run doctor in a checkout of the delivery repository, or give --delivery PROJECT and SLUICE_GITLAB_TOKEN.';
    return [unknown('not-looked', 'there is no sluice.yaml to tell what to look at', give)];
  }
  if (['token', 'branch', 'cleanup'].includes(check) && (token === null || place.url === null))
    return [unknown('not-looked', 'no token to look with', `Give ${TOKEN}, and --gitlab URL outside a job.`)];
  return [ok('not-needed', 'nothing here needs it')];
}

function judgeConfig({ found, context, inJob, place }: Scene): readonly Finding[] {
  const name = 'answer' in found ? found.answer.file : (context.values.string('config') ?? 'sluice.yaml');
  const { ok, fault, unknown } = judge('config', name);
  if ('answer' in found) {
    const { environments, apps } = found.answer;
    return [ok('config', `is valid: ${environments.length} environments, ${apps.length} apps`)];
  }
  const { code, message, hint } = found.fault;
  if (code === 'config_missing' && !inJob && !context.values.given('config')) {
    const where = place.project === null ? 'the delivery repository' : place.project;
    return [
      unknown(
        'config-missing',
        `there is no ${name} here`,
        `Run doctor in a checkout of ${where}, or make one with sluice init.`,
      ),
    ];
  }
  return [
    fault(
      code === 'config_missing' ? 'config-missing' : 'config-invalid',
      code,
      message,
      code === 'config_missing'
        ? 'Run in the delivery project, or give --delivery PROJECT; a delivery repository gets one by sluice init.'
        : hint,
    ),
  ];
}

async function examineGitLab(scene: Scene): Promise<readonly Finding[]> {
  const { context, place, token, inJob, wants, pairs } = scene;
  const { clock, http } = context;
  const version = token === null ? null : answerOr(await attempt(() => token.gitlab.version()), null);
  const reach = await examineReach(http, place.url, version);
  const unreachable = reach.some(({ state }) => state === 'fault');
  const findings: Finding[] = [...reach];
  if (token === null) {
    if (context.secret(TOKEN) === undefined && wants('token')) findings.push(noToken(inJob));
    return findings;
  }
  if (unreachable) return findings;
  if (wants('token')) findings.push(...(await examineToken(token, { clock, inJob, use: 'statuses' })));
  const git = await tokenOf(context, place, 'SLUICE_GIT_TOKEN');
  if (wants('token') && git !== null) findings.push(...(await examineToken(git, { clock, inJob, use: 'push' })));
  if (findings.some(({ check, state, id }) => check === 'token' && state === 'fault' && id !== 'token-scopes'))
    return findings;
  if (place.project === null) {
    const give = 'Give --delivery PROJECT, or run in a checkout of the delivery repository.';
    return [...findings, judge('branch').unknown('project-unknown', 'the delivery project is not known', give)];
  }
  const facts = await readProject(token, place.project, place.branch);
  if (wants('token')) {
    findings.push(...judgeProject('token', facts), ...(await examineVariables(token, facts, pairs)));
  }
  if (wants('config')) findings.push(...(await examinePipeline(token, facts)));
  if (wants('branch')) {
    // What SLUICE_GIT_TOKEN may push is not the API's to say.
    const branch = facts.branch && git ? { ...facts.branch, canPush: null } : facts.branch;
    findings.push(...(await examineBranch(token, { ...facts, branch }, pairs, place.branch)));
  }
  if (wants('posters') && facts.branch?.sha) {
    const sha = facts.branch.sha;
    const names = answerOr(await attempt(() => token.gitlab.statusNames(place.project!, sha)), null);
    const wanted = pairs.some(({ watch }) => watch === 'statuses');
    findings.push(...judgePosted(place.project, names ?? [], wanted));
  }
  if (wants('cleanup') && facts.project !== null && pairs.some(({ source }) => source === 'oci'))
    findings.push(...judgeCleanup(facts.project.path, facts.project.cleanup, pairs));
  return findings;
}

function noToken(inJob: boolean): Finding {
  const { fault, unknown } = judge('token', TOKEN);
  const give = `Store a project access token (Maintainer, scope api) of the delivery project in the CI/CD variable ${TOKEN}, masked and protected.`;
  return inJob
    ? fault(
        'token-missing',
        'token_missing',
        'is not set: no status can be posted',
        `${give} A protected variable reaches protected branches only.`,
      )
    : unknown(
        'token-missing',
        'is not set here',
        `Give ${TOKEN} to look at token, branch, projects and cleanup policy.`,
      );
}

async function examineProjects(scene: Scene): Promise<readonly Finding[]> {
  const { context, place, config, inJob } = scene;
  if (config === null) return [];
  return examineApplications(
    config.apps,
    async (app) =>
      (await tokenOf(context, place, `SLUICE_GITLAB_TOKEN_${app.toUpperCase().replaceAll('-', '_')}`)) ?? scene.token,
    { clock: context.clock, inJob, common: TOKEN },
  );
}

async function examineRegistries({ context, pairs, inJob }: Scene): Promise<readonly Finding[]> {
  const pushed = pairs
    .filter(({ source }) => source === 'oci')
    .flatMap((pair) => pair.artifacts.map(({ repository }) => ({ repository, tag: pair.tag })));
  const known = pushed.filter(({ repository }) => !repository.includes('{registry}'));
  if (pushed.length > 0 && known.length === 0) {
    return [
      judge('registry').unknown(
        'registry-unknown',
        'it is not known where artifacts go',
        'Give --registry HOST/PATH (in a job: CI_REGISTRY_IMAGE).',
      ),
    ];
  }
  const wrong = known.find(({ repository }) => !/^[^/\s]+\/[^\s]+$/.test(repository));
  if (wrong) {
    const { fault } = judge('registry', wrong.repository);
    return [
      fault(
        'registry-name',
        'config_invalid',
        'is no HOST/PATH',
        'Correct `repository` in sluice.yaml, e.g. {registry}/{artifact}.',
      ),
    ];
  }
  const places = [...new Map(known.map((one) => [parentOf(one.repository), one])).values()];
  const systems = {
    inspection: await context.inspect.registry(),
    registry: await context.registry(),
    files: context.files,
    clock: context.clock,
  };
  const probe = context.values.boolean('probe') && !context.values.boolean('dry-run');
  return (await Promise.all(places.map((one) => examineRegistry(systems, { ...one, inJob, probe })))).flat();
}

function parentOf(repository: string): string {
  return repository.slice(0, repository.lastIndexOf('/'));
}
