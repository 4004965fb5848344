import { html } from 'hono/html';
import { branches, log } from '../repositories.ts';
import type { Commit } from '../repositories.ts';
import type { Pipeline, Project, Row, State } from '../state.ts';
import { age, layout, person, pill } from './layout.ts';
import type { Html } from './layout.ts';

const tabNames = ['commits', 'pipelines', 'merge_requests', 'environments', 'container_registry'] as const;
export type Tab = (typeof tabNames)[number];

/** Latest external statuses of the pipelines of a commit. */
export function externalRows(project: Project, sha: string): readonly Row[] {
  return project.pipelines
    .filter((pipeline) => pipeline.sha === sha)
    .flatMap((pipeline) => pipeline.rows)
    .filter((row) => row.kind === 'external' && !row.retried);
}

/** An external status in one line. */
export function statusLine(row: Row): Html {
  const name = row.targetUrl ? html`<a href="${row.targetUrl}">${row.name}</a>` : row.name;
  return html`<span class="status"
    >${pill(row.status)}<span>${name}</span><span class="quiet">${row.description ?? ''}</span></span
  >`;
}

/** Frame of all pages of a project. */
export function projectFrame(
  state: State,
  project: Project,
  on: Tab | null,
  body: Html,
  options: { readonly title?: string; readonly busy?: boolean } = {},
): Html {
  const base = `/${project.path}`;
  const labels: Record<Tab, string> = {
    commits: 'Commits',
    pipelines: `Pipelines (${project.pipelines.length})`,
    merge_requests: `Merge requests (${project.mergeRequests.filter((each) => each.state === 'opened').length})`,
    environments: 'Environments',
    container_registry: 'Container registry',
  };
  return layout(state, {
    title: options.title ?? project.path,
    trail: [[project.path, base]],
    busy: options.busy ?? false,
    body: html`<h1>${project.name}</h1>
      <p class="quiet">
        ${project.path} · ${project.visibility}${project.description ? html` · ${project.description}` : ''}
      </p>
      <div class="tabs">
        ${tabNames.map((tab) => html`<a class="${tab === on ? 'on' : ''}" href="${tab === 'commits' ? base : `${base}/-/${tab}`}">${labels[tab]}</a>`)}
      </div>
      ${body}`,
  });
}

/** `/`: all projects. */
export function projectsPage(state: State): Html {
  const projects = [...state.projects.values()];
  return layout(state, {
    title: 'Projects',
    trail: [],
    body: html`<h1>Projects</h1>
      <div class="grid">
        ${projects.map((project) => {
          const last = project.pipelines.at(-1);
          return html`<div class="card tile">
            <a class="title" href="/${project.path}"><b>${project.path}</b></a> ${last ? pill(last.status) : ''}
            <div class="quiet">${project.description}</div>
            <div class="quiet">
              ${project.pipelines.length} pipelines · ${project.mergeRequests.length} merge requests ·
              ${project.deployments.length} deployments
            </div>
          </div>`;
        })}
      </div>`,
  });
}

/** A project's commits, with pipeline and external statuses of each. */
export async function commitsPage(state: State, project: Project): Promise<Html> {
  const heads = await branches(state, project);
  const commits = heads.length === 0 ? [] : await log(state, project, ['-40', '--date-order', '--branches', '--']);
  const label = (commit: Commit) =>
    heads
      .filter((branch) => branch.sha === commit.id)
      .map((branch) => html` <span class="pill off mono">${branch.name}</span>`);
  const rows = commits.map((commit) => {
    const pipelines = project.pipelines.filter((pipeline) => pipeline.sha === commit.id);
    const external = externalRows(project, commit.id);
    return html`<div class="row" data-commit="${commit.id}">
      <div class="grow">
        <a class="title" href="/${project.path}/-/commit/${commit.id}">${commit.title}</a>
        <span class="quiet">${commit.authorName} · ${age(state.clock.now(), commit.committedDate)}</span
        >${label(commit)} ${external.length > 0 ? html`<div class="statuses">${external.map(statusLine)}</div>` : ''}
      </div>
      ${pipelines.map((pipeline) => html`<a href="/${project.path}/-/pipelines/${pipeline.id}">${pill(pipeline.status)}</a>`)}
      <a class="mono quiet" href="/${project.path}/-/commit/${commit.id}">${commit.id.slice(0, 8)}</a>
    </div>`;
  });
  const body =
    commits.length === 0 ? html`<p class="quiet">The repository is empty.</p>` : html`<div class="card">${rows}</div>`;
  return projectFrame(state, project, 'commits', body, { busy: isBusy(project.pipelines) });
}

/** One commit. */
export function commitPage(state: State, project: Project, commit: Commit): Html {
  const pipelines = project.pipelines.filter((pipeline) => pipeline.sha === commit.id);
  const external = externalRows(project, commit.id);
  return projectFrame(
    state,
    project,
    'commits',
    html`<h2 class="mono">${commit.id}</h2>
      <div class="card">
        <div class="row"><div class="message">${commit.message}</div></div>
        <div class="row quiet">${commit.authorName} &lt;${commit.authorEmail}&gt; · ${commit.committedDate}</div>
      </div>
      <h2>Pipelines</h2>
      <div class="card">
        ${pipelines.length === 0 ? html`<div class="row quiet">None</div>` : pipelines.map((pipeline) => pipelineRow(state, pipeline))}
      </div>
      <h2>External statuses</h2>
      <div class="card">
        ${external.length === 0 ? html`<div class="row quiet">None</div>` : external.map((row) => html`<div class="row">${statusLine(row)}<span class="grow"></span><span class="quiet">${person(row.user)}</span></div>`)}
      </div>`,
    { title: commit.title, busy: isBusy(pipelines) },
  );
}

/** A pipeline in one line. */
export function pipelineRow(state: State, pipeline: Pipeline): Html {
  const rows = pipeline.rows.filter((row) => !row.retried);
  return html`<div class="row">
    <a href="/${pipeline.project.path}/-/pipelines/${pipeline.id}">${pill(pipeline.status)}</a>
    <div class="grow">
      <a class="title" href="/${pipeline.project.path}/-/pipelines/${pipeline.id}">#${pipeline.id} · ${pipeline.ref}</a>
      <span class="quiet"
        >${pipeline.source} by ${person(pipeline.user)} · ${age(state.clock.now(), pipeline.createdAt)}</span
      >
    </div>
    <span class="quiet"
      >${rows.filter((row) => row.kind !== 'external').length} jobs ·
      ${rows.filter((row) => row.kind === 'external').length} external</span
    >
    <span class="mono quiet">${pipeline.sha.slice(0, 8)}</span>
  </div>`;
}

/** Does something still move? */
export function isBusy(pipelines: readonly Pipeline[]): boolean {
  return pipelines.some((pipeline) =>
    ['created', 'pending', 'running', 'waiting_for_resource', 'canceling'].includes(pipeline.status),
  );
}

/** Environments with their latest deployment. */
export function environmentsPage(state: State, project: Project): Html {
  const rows = project.environments.map((environment) => {
    const last = project.deployments.findLast((each) => each.environment === environment && each.status !== 'created');
    return html`<tr>
      <td>
        <b>${environment.name}</b>
        <div class="quiet">${environment.tier} · ${environment.state}</div>
      </td>
      <td>
        ${last ? html`${pill(last.status)} <span class="mono">${last.sha.slice(0, 8)}</span> <span class="quiet">${age(state.clock.now(), last.updatedAt)}</span>` : html`<span class="quiet">never</span>`}
      </td>
      <td class="quiet mono">${environment.fluxResourcePath ?? ''}</td>
    </tr>`;
  });
  const body =
    rows.length === 0
      ? html`<p class="quiet">No environments.</p>`
      : html`<div class="card">
          <table>
            <tr>
              <th>Environment</th>
              <th>Last deployment</th>
              <th>Flux resource</th>
            </tr>
            ${rows}
          </table>
        </div>`;
  return projectFrame(state, project, 'environments', body);
}

/** Repositories and tags of the project's registry. */
export async function registryPage(state: State, project: Project): Promise<Html> {
  const repositories = await registryRepositories(state, project);
  const list = repositories.map(
    ({ name, tags }) =>
      html`<h2 class="mono">${state.registry?.host}/${name}</h2>
        <div class="card">
          <table>
            <tr>
              <th>Tag</th>
              <th>Digest</th>
            </tr>
            ${tags.map(
              (tag) =>
                html`<tr>
                  <td><b>${tag.name}</b></td>
                  <td class="mono quiet">${tag.digest}</td>
                </tr>`,
            )}
          </table>
        </div>`,
  );
  return projectFrame(
    state,
    project,
    'container_registry',
    repositories.length === 0 ? html`<p class="quiet">No images.</p>` : html`${list}`,
  );
}

async function registryRepositories(state: State, project: Project) {
  const own = [...state.registryRepositories.keys()].filter((name) =>
    `${name}/`.startsWith(`${project.path.toLowerCase()}/`),
  );
  const found = await Promise.all(
    own.map(async (name) => ({ name, tags: (await state.registry?.tags?.(name)) ?? [] })),
  );
  return found.filter((each) => each.tags.length > 0);
}
