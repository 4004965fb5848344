import type { Hono } from 'hono';
import { userEntity } from './entities.ts';
import { announceRequest } from './merge.ts';
import { requestOf } from './merge-requests.ts';
import { enter, forbidden, notFound, page, parameters, required } from './request.ts';
import type { Api } from './request.ts';
import type { MergeRequest, Note, State } from './state.ts';

function noteEntity(state: State, request: MergeRequest, note: Note) {
  return {
    id: note.id,
    type: null,
    body: note.body,
    author: userEntity(state, note.author),
    created_at: note.createdAt,
    updated_at: note.updatedAt,
    system: note.system,
    noteable_id: request.id,
    noteable_type: 'MergeRequest',
    project_id: request.project.id,
    resolvable: false,
    confidential: false,
    internal: false,
    noteable_iid: request.iid,
    imported: false,
    imported_from: 'none',
    commands_changes: {},
  };
}

/** Notes of merge requests (docs.gitlab.com/api/notes). */
export function noteRoutes(app: Hono, api: Api): void {
  const { state } = api;
  const base = '/projects/:id/merge_requests/:iid/notes';
  const noteOf = (request: MergeRequest, id: string) => {
    const note = request.notes.find((each) => each.id === Number(id));
    if (!note) throw notFound();
    return note;
  };
  app.get(base, (c) => {
    const { project } = enter(api, c, { level: 0 });
    const request = requestOf(api, project, c.req.param('iid'));
    const notes = c.req.query('sort') === 'asc' ? request.notes : request.notes.toReversed();
    return c.json(page(api, c, notes).map((note) => noteEntity(state, request, note)));
  });
  app.get(`${base}/:note`, (c) => {
    const { project } = enter(api, c, { level: 0 });
    const request = requestOf(api, project, c.req.param('iid'));
    return c.json(noteEntity(state, request, noteOf(request, c.req.param('note'))));
  });
  app.post(base, async (c) => {
    const { project, user } = enter(api, c, { level: 20, write: true });
    const request = requestOf(api, project, c.req.param('iid'));
    const now = state.time();
    const note: Note = {
      id: state.next('note'),
      body: required(await parameters(c), 'body'),
      author: user,
      system: false,
      createdAt: now,
      updatedAt: now,
    };
    request.notes.push(note);
    announceRequest(state, request, 'note', user);
    return c.json(noteEntity(state, request, note), 201);
  });
  app.put(`${base}/:note`, async (c) => {
    const { project, user } = enter(api, c, { level: 20, write: true });
    const request = requestOf(api, project, c.req.param('iid'));
    const note = noteOf(request, c.req.param('note'));
    if (note.author !== user) throw forbidden();
    note.body = required(await parameters(c), 'body');
    note.updatedAt = state.time();
    announceRequest(state, request, 'note', user);
    return c.json(noteEntity(state, request, note));
  });
  app.delete(`${base}/:note`, (c) => {
    const { project, user } = enter(api, c, { level: 20, write: true });
    const request = requestOf(api, project, c.req.param('iid'));
    const note = noteOf(request, c.req.param('note'));
    if (note.author !== user) throw forbidden();
    request.notes.splice(request.notes.indexOf(note), 1);
    return c.body(null, 204);
  });
}
