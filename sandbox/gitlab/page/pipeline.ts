import { html } from 'hono/html';
import { composite } from '../composite.ts';
import { commitOf } from '../repositories.ts';
import type { Pipeline, Project, Row, State } from '../state.ts';
import { duration, person, pill } from './layout.ts';
import type { Html } from './layout.ts';
import { isBusy, pipelineRow, projectFrame } from './project.ts';

/** All pipelines of a project, newest first. */
export function pipelinesPage(state: State, project: Project): Html {
  const rows = project.pipelines.toReversed().map((pipeline) => pipelineRow(state, pipeline));
  const body = rows.length === 0 ? html`<p class="quiet">No pipelines.</p>` : html`<div class="card">${rows}</div>`;
  return projectFrame(state, project, 'pipelines', body, {
    title: `Pipelines · ${project.path}`,
    busy: isBusy(project.pipelines),
  });
}

/** Jobs and external jobs of a pipeline, stage by stage. */
export function stageGraph(pipeline: Pipeline): Html {
  const rows = pipeline.rows.filter((row) => !row.retried);
  const stages = new Map<string, Row[]>();
  for (const row of rows.toSorted((a, b) => a.stageIndex - b.stageIndex))
    stages.set(row.stage, [...(stages.get(row.stage) ?? []), row]);
  return html`<div class="stages">
    ${[...stages].map(
      ([name, jobs]) =>
        html`<div class="stage" data-stage="${name}">
          <h3>${name} ${pill(composite(jobs))}</h3>
          ${jobs.map((row) => jobBox(row))}
        </div>`,
    )}
  </div>`;
}

function jobBox(row: Row): Html {
  const target = targetOf(row);
  const inner = html`${pill(row.status, row.allowFailure)}<span class="name">${row.name}</span
    ><span class="quiet"
      >${row.kind === 'external' ? (row.description ?? '') : [row.job?.environment ?? '', duration(row.startedAt, row.finishedAt)].filter((each) => each !== '').join(' · ')}</span
    >`;
  return target
    ? html`<a class="job" data-job="${row.name}" href="${target}">${inner}</a>`
    : html`<span class="job" data-job="${row.name}">${inner}</span>`;
}

/** Where a row leads: a job to its log, a trigger job to its pipeline. */
function targetOf({ kind, id, pipeline, downstream, targetUrl }: Row): string | null {
  if (kind === 'job') return `/${pipeline.project.path}/-/jobs/${id}`;
  if (kind === 'external') return targetUrl;
  return downstream ? `/${downstream.project.path}/-/pipelines/${downstream.id}` : null;
}

/** One pipeline. */
export async function pipelinePage(state: State, project: Project, pipeline: Pipeline): Promise<Html> {
  const commit = await commitOf(state, project, pipeline.sha);
  const retried = pipeline.rows.filter((row) => row.retried);
  return projectFrame(
    state,
    project,
    'pipelines',
    html`<h2>${pill(pipeline.status)} Pipeline #${pipeline.id} · ${commit.title}</h2>
      <p class="quiet">
        ${pipeline.source} by ${person(pipeline.user)} ·
        <a href="/${project.path}/-/commit/${pipeline.sha}" class="mono">${pipeline.sha.slice(0, 8)}</a> ·
        ${pipeline.ref}${pipeline.mergeRequest ? html` · <a href="/${project.path}/-/merge_requests/${pipeline.mergeRequest.iid}">!${pipeline.mergeRequest.iid}</a>` : ''}
        · ${duration(pipeline.startedAt, pipeline.finishedAt)}
      </p>
      ${pipeline.yamlErrors ? html`<pre class="log">${pipeline.yamlErrors}</pre>` : ''}
      <div class="card">${stageGraph(pipeline)}</div>
      ${
        retried.length > 0
          ? html`<h2>Retried</h2>
              <div class="card">
                ${retried.map(
                  (row) =>
                    html`<div class="row">
                      ${pill(row.status)}<span class="grow"
                        >${row.name} <span class="quiet">${row.description ?? ''}</span></span
                      >
                    </div>`,
                )}
              </div>`
          : ''
      }`,
    { title: `Pipeline #${pipeline.id}`, busy: isBusy([pipeline]) },
  );
}

/** A job with its log; credentials are masked in it. */
export function jobPage(state: State, project: Project, row: Row): Html {
  const { pipeline } = row;
  return projectFrame(
    state,
    project,
    'pipelines',
    html`<h2>${pill(row.status, row.allowFailure)} ${row.name}</h2>
      <p class="quiet">
        Job #${row.id} · ${row.stage} ·
        <a href="/${project.path}/-/pipelines/${pipeline.id}">pipeline #${pipeline.id}</a> ·
        ${duration(row.startedAt, row.finishedAt)}${row.job?.environment ? html` · environment ${row.job.environment}` : ''}${row.failureReason ? html` · ${row.failureReason.replaceAll('_', ' ')}` : ''}
      </p>
      <pre class="log">${(row.job?.log() ?? '').replaceAll(ansi, '') || 'This job has no log yet.'}</pre>`,
    { title: `${row.name} · job #${row.id}`, busy: ['pending', 'running', 'canceling'].includes(row.status) },
  );
}

const ansi = new RegExp(`${String.fromCodePoint(27)}\\[[0-9;]*[A-Za-z]`, 'g');
