import { alignedTable } from '../runner/output/table.ts';
import type { GitLabEvent } from './gitlab/handle.ts';
import type { OwnRecord } from './own-story.ts';
import { playStory, type Chapter } from './story.ts';
import type { World } from './world.ts';

/** The demo's record. */
export interface DemoRecord {
  readonly command: 'demo';
  readonly outcome: 'done' | 'failed';
  /** Page of the simulated GitLab (only with --keep still there). */
  readonly url: string;
  readonly chapters: readonly Chapter[];
  readonly durations: { readonly total: number; readonly start: number };
}

/** Plays the demo on a world and tells it line by line. */
export async function tellDemo(world: World, startSeconds: number, say: (line: string) => void): Promise<DemoRecord> {
  const began = Date.now();
  const silence = world.gitlab.on((event) => {
    const line = eventLine(event);
    if (line !== undefined) say(`    ${line}`);
  });
  say('first the projects are delivered as they are');
  const chapters = await playStory(world, (chapter) => {
    say(
      `  ${chapter.faults.length === 0 ? 'as told' : 'NOT AS TOLD'}: ${chapter.title} (${chapter.seconds.toFixed(1)} s)`,
    );
    for (const fault of chapter.faults) say(`      ${fault}`);
    for (const log of chapter.logs) say(log.replaceAll(/^/gm, '      | '));
  });
  silence();
  const total = startSeconds + (Date.now() - began) / 1000;
  const outcome = chapters.every((chapter) => chapter.faults.length === 0) ? 'done' : 'failed';
  return { command: 'demo', outcome, url: world.gitlab.url, chapters, durations: { total, start: startSeconds } };
}

/** The table at the end. */
export function demoTable({ chapters }: DemoRecord): string {
  const rows = chapters.map((chapter) => [
    chapter.title,
    chapter.environment,
    `${chapter.app} ${chapter.commit?.slice(0, 8) ?? '-'}`,
    chapter.digest?.slice(7, 19) ?? '-',
    chapter.delivery.states.join(' → ') || '-',
    chapter.application?.states.join(' → ') ?? '-',
    chapter.seconds.toFixed(1),
    chapter.delivery.description ?? '',
  ]);
  return alignedTable([
    [
      'chapter',
      'environment',
      'commit',
      'digest',
      'on the delivery commit',
      'on the application commit',
      'seconds',
      'what GitLab shows',
    ],
    ...rows,
  ]);
}

/** What the demo on a person's own repository came to. */
export function ownText(record: OwnRecord): string {
  const rows = record.statuses.map((status) => [status.project, status.name, status.state, status.description ?? '']);
  return [
    '',
    record.diff,
    alignedTable([['project', 'status', 'state', 'what GitLab shows'], ...rows]),
    ...(record.outcome === 'done' ? [] : record.logs),
    '',
    `${record.outcome === 'done' ? 'delivered and healthy' : 'NOT healthy'}: ${record.app} in ${record.environment}; ${record.durations.total.toFixed(0)} s`,
    '',
  ].join('\n');
}

function eventLine(event: GitLabEvent): string | undefined {
  const where = event.project;
  if (event.type === 'push') return `${where}: push ${event.after.slice(0, 8)} by ${event.username}: ${event.subject}`;
  if (event.type === 'pipeline' && event.status !== 'pending') return `${where}: pipeline ${event.id} ${event.status}`;
  if (event.type === 'job' && !['pending', 'created'].includes(event.status))
    return `${where}: job ${event.name} ${event.status}`;
  if (event.type === 'status')
    return `${where}: ${event.sha.slice(0, 8)} ${event.name} ${event.state}${event.description ? `: ${event.description}` : ''}`;
  if (event.type === 'merge_request') return `${where}: merge request !${event.iid} ${event.action}: ${event.title}`;
  return undefined;
}
