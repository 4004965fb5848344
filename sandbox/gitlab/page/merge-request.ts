import { html } from 'hono/html';
import type { Api } from '../request.ts';
import { commitsOfRequest } from '../commits.ts';
import type { MergeRequest, Project, State } from '../state.ts';
import { age, person, pill } from './layout.ts';
import type { Html } from './layout.ts';
import { stageGraph } from './pipeline.ts';
import { externalRows, isBusy, projectFrame, statusLine } from './project.ts';

/** All merge requests of a project, newest first. */
export function mergeRequestsPage(state: State, project: Project): Html {
  const rows = project.mergeRequests.toReversed().map(
    (request) =>
      html`<div class="row">
        ${pill(request.state)}
        <div class="grow">
          <a class="title" href="/${project.path}/-/merge_requests/${request.iid}">${request.title}</a>
          <span class="quiet"
            >!${request.iid} · ${request.sourceBranch} → ${request.targetBranch} · ${person(request.author)} ·
            ${age(state.clock.now(), request.createdAt)}</span
          >
          ${request.labels.map((label) => html` <span class="pill off">${label}</span>`)}
        </div>
        ${request.headPipeline ? pill(request.headPipeline.status) : ''}
      </div>`,
  );
  const body =
    rows.length === 0 ? html`<p class="quiet">No merge requests.</p>` : html`<div class="card">${rows}</div>`;
  return projectFrame(state, project, 'merge_requests', body, { title: `Merge requests · ${project.path}` });
}

/** One merge request, with the widget that says how its pipeline stands. */
export async function mergeRequestPage(api: Api, project: Project, request: MergeRequest): Promise<Html> {
  const { state } = api;
  const commits = await commitsOfRequest(api, request);
  const pipeline = request.headPipeline;
  const external = externalRows(project, request.mergeCommit ?? request.sha);
  return projectFrame(
    state,
    project,
    'merge_requests',
    html`<h2>${pill(request.state)} !${request.iid} ${request.title}</h2>
      <p class="quiet">
        ${person(request.author)} wants to merge <span class="mono">${request.sourceBranch}</span> into
        <span class="mono">${request.targetBranch}</span> · ${age(state.clock.now(), request.createdAt)}
      </p>
      <div class="card">
        <div class="row"><div class="message">${request.description || 'No description.'}</div></div>
      </div>
      <div class="widget" data-widget="pipeline">
        <div>
          ${pipeline ? html`${pill(pipeline.status)} <a href="/${project.path}/-/pipelines/${pipeline.id}">Pipeline #${pipeline.id}</a> <span class="quiet">for ${pipeline.sha.slice(0, 8)}</span>` : html`<span class="quiet">No pipeline for the head of this branch.</span>`}
        </div>
        ${pipeline ? html`<div>${stageGraph(pipeline)}</div>` : ''}
        ${external.length > 0 ? html`<div class="statuses">${external.map(statusLine)}</div>` : ''}
        <div>
          ${request.state === 'merged' ? html`Merged by ${request.mergeUser ? person(request.mergeUser) : ''} as <a class="mono" href="/${project.path}/-/commit/${request.mergeCommit ?? request.squashCommit ?? request.sha}">${(request.mergeCommit ?? request.squashCommit ?? request.sha).slice(0, 8)}</a>` : request.autoMerge ? 'Set to merge when the pipeline succeeds' : request.state === 'opened' ? 'Open' : 'Closed'}
        </div>
      </div>
      <h2>Activity</h2>
      <div class="card">
        ${
          request.notes.length === 0
            ? html`<div class="row quiet">No notes.</div>`
            : request.notes.map(
                (note) =>
                  html`<div class="row">
                    <div class="grow">
                      <b>${person(note.author)}</b> <span class="quiet">${age(state.clock.now(), note.updatedAt)}</span>
                      <div class="message">${note.body}</div>
                    </div>
                  </div>`,
              )
        }
      </div>
      <h2>Commits</h2>
      <div class="card">
        ${commits.map((commit) => html`<div class="row"><a class="grow" href="/${project.path}/-/commit/${commit.id}">${commit.title}</a><span class="mono quiet">${commit.id.slice(0, 8)}</span></div>`)}
      </div>`,
    { title: `!${request.iid} ${request.title}`, busy: pipeline ? isBusy([pipeline]) : false },
  );
}
