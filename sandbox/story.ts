import type { GitLabEvent } from './gitlab/handle.ts';
import { visitGitLab, type Visitor } from './gitlab-client.ts';
import { paths } from './seed.ts';
import type { World } from './world.ts';

/** One chapter: what was done, what came of it, and what was not as told. */
export interface Chapter {
  readonly title: string;
  readonly environment: string;
  readonly app: string;
  /** Delivery commit, 40 hex. */
  readonly commit: string | null;
  readonly applicationCommit: string | null;
  /** Digest that stands under the moving tag afterwards. */
  readonly digest: string | null;
  /** States of the status on the delivery commit, in the order posted, and the last description. */
  readonly delivery: { readonly states: readonly string[]; readonly description: string | null };
  readonly application: { readonly states: readonly string[]; readonly description: string | null } | null;
  readonly seconds: number;
  /** Empty when everything is as told. */
  readonly faults: readonly string[];
  /** Ends of the logs of failed jobs, where something is not as told. */
  readonly logs: readonly string[];
}

interface Expected {
  readonly title: string;
  readonly app?: string;
  readonly environment?: string;
  readonly states: readonly string[];
  /** States on the application commit; null: nothing is posted there. */
  readonly application: readonly string[] | null;
  /** Must be part of the last description. */
  readonly cause?: string;
  /** Does the app's artifact change? */
  readonly pushed: boolean;
  /** An app whose artifact must not change. */
  readonly untouched: string;
}

const GREEN = ['pending', 'running', 'success'];
const RED = ['pending', 'running', 'failed'];

/** Plays the story, chapter by chapter; `tell` hears of each when it ends. */
export async function playStory(world: World, tell: (chapter: Chapter) => void): Promise<readonly Chapter[]> {
  const { gitlab, person } = world;
  const events: GitLabEvent[] = [];
  const silence = gitlab.on((event) => void events.push(event));
  const visitor = visitGitLab(gitlab, person.token);
  const chapters: Chapter[] = [];
  const chapter = async (expected: Expected, act: () => Promise<string | null>) => {
    const told = await playChapter(world, events, expected, act);
    chapters.push(told);
    tell(told);
  };
  const release = (version: string) => () =>
    gitlab.seed(paths.app, new Map([['VERSION', `${version}\n`]]), `Release ${version}`);

  await gitlab.waitForPipelines();
  const podinfo = { app: 'podinfo', untouched: 'checkout' };
  await chapter(
    { ...podinfo, title: 'a new version', states: GREEN, application: GREEN, pushed: true },
    release('6.6.0'),
  );
  await chapter(
    {
      ...podinfo,
      title: 'a version that never becomes healthy',
      states: RED,
      application: RED,
      pushed: true,
      cause: 'ImagePullBackOff',
    },
    release('6.7.0-broken'),
  );
  await chapter(
    { ...podinfo, title: 'a roll-forward that heals it', states: GREEN, application: GREEN, pushed: true },
    release('6.7.1'),
  );
  await chapter(
    {
      title: 'a person changes another app',
      app: 'checkout',
      states: GREEN,
      application: null,
      pushed: true,
      untouched: 'podinfo',
    },
    async () => {
      await gitlab.seed(
        paths.delivery,
        checkoutImage(world.registry.host, '1.4.3'),
        'Deploy checkout 1.4.3 to staging',
      );
      return null;
    },
  );
  await chapter(
    {
      ...podinfo,
      title: 'production by merge request',
      environment: 'production',
      states: GREEN,
      application: null,
      pushed: true,
    },
    async () => {
      await toProduction(world, visitor);
      return null;
    },
  );
  silence();
  return chapters;
}

async function playChapter(
  world: World,
  events: GitLabEvent[],
  expected: Expected,
  act: () => Promise<string | null>,
): Promise<Chapter> {
  const { app = 'podinfo', environment = 'staging' } = expected;
  const started = Date.now();
  const from = events.length;
  const digestOf = async (name: string) =>
    (await world.registry.tags(`${paths.delivery}/${name}`)).find((tag) => tag.name === environment)?.digest ?? null;
  const before = { own: await digestOf(app), other: await digestOf(expected.untouched) };
  const applicationCommit = await act();
  await world.gitlab.waitForPipelines();
  const seconds = (Date.now() - started) / 1000;
  const happened = events.slice(from);
  const push = happened.findLast(
    (event) =>
      event.type === 'push' && event.project === paths.delivery && ['main', 'refs/heads/main'].includes(event.ref),
  );
  const commit = push?.type === 'push' ? push.after : null;
  const name = `sync: ${environment}/${app}`;
  const posted = (project: string, sha: string | null) => {
    const rows = happened.filter(
      (event) => event.type === 'status' && event.project === project && event.sha === sha && event.name === name,
    );
    return {
      states: rows.map((row) => (row.type === 'status' ? row.state : '')),
      description: rows.reduce<string | null>(
        (last, row) => (row.type === 'status' ? (row.description ?? last) : last),
        null,
      ),
    };
  };
  const delivery = posted(paths.delivery, commit);
  const application = applicationCommit === null ? null : posted(paths.app, applicationCommit);
  const after = { own: await digestOf(app), other: await digestOf(expected.untouched) };
  const faults = [
    ...differs('states on the delivery commit', expected.states, delivery.states),
    ...(expected.application === null
      ? []
      : differs('states on the application commit', expected.application, application?.states ?? [])),
    ...(expected.cause === undefined || delivery.description?.includes(expected.cause)
      ? []
      : [`the cause should name ${expected.cause}, but is: ${delivery.description}`]),
    ...((before.own !== after.own) === expected.pushed
      ? []
      : [`the artifact of ${app} ${expected.pushed ? 'did not change' : 'changed'}`]),
    ...(before.other === after.other ? [] : [`the artifact of ${expected.untouched} changed`]),
    ...happened.flatMap((event) =>
      event.type === 'status' && event.name.endsWith(`/${expected.untouched}`)
        ? [`a status was posted for ${expected.untouched}, which did not change`]
        : [],
    ),
  ];
  return {
    title: expected.title,
    environment,
    app,
    commit,
    applicationCommit,
    digest: after.own,
    delivery,
    application,
    seconds,
    faults,
    logs: faults.length === 0 ? [] : failedLogs(world, happened),
  };
}

function failedLogs({ gitlab }: World, happened: readonly GitLabEvent[]): readonly string[] {
  return happened.flatMap((event) => {
    if (event.type === 'pipeline' && event.yamlErrors !== null)
      return [`${event.project}: pipeline ${event.id}: ${event.yamlErrors}`];
    if (event.type !== 'job' || event.status !== 'failed') return [];
    const end = gitlab.jobLog(event.project, event.id).trimEnd().split('\n').slice(-25);
    return [[`${event.project}: job ${event.name} (exit code ${event.exitCode}) ended with`, ...end].join('\n')];
  });
}

async function toProduction({ gitlab }: World, visitor: Visitor): Promise<void> {
  const sha = await gitlab.seed(
    paths.app,
    new Map([['public/index.html', '<!doctype html>\n<title>podinfo</title>\n<p>Greetings to production.</p>\n']]),
    'Greet production',
    { pipeline: true },
  );
  await gitlab.waitForPipelines();
  const [pipeline] = await visitor.pipelines(paths.app, sha);
  const jobs = pipeline ? await visitor.jobs(paths.app, pipeline.id) : [];
  const button = jobs.find((job) => job.name === 'to production');
  if (!button)
    throw new Error(`the application's pipeline has no job "to production": ${jobs.map((job) => job.name).join(', ')}`);
  await visitor.play(paths.app, button.id);
  await gitlab.waitForPipelines();
  const [request] = await visitor.mergeRequests(paths.delivery);
  if (!request) throw new Error('no merge request was opened in the delivery project');
  await visitor.merge(paths.delivery, request.iid);
}

function checkoutImage(host: string, tag: string): ReadonlyMap<string, string> {
  const lines = [
    'apiVersion: apps/v1',
    'kind: Deployment',
    'metadata:',
    '  name: checkout',
    'spec:',
    '  template:',
    '    spec:',
    '      containers:',
    '        - name: checkout',
    `          image: ${host}/shop/checkout:${tag} # {"$imagepolicy": "flux-system:checkout"}`,
    '',
  ];
  return new Map([['apps/checkout/staging/image.yaml', lines.join('\n')]]);
}

function differs(what: string, wanted: readonly string[], found: readonly string[]): string[] {
  return wanted.join() === found.join()
    ? []
    : [`${what}: expected ${wanted.join(' → ')}, found ${found.join(' → ') || 'none'}`];
}
