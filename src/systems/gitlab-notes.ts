import { MergeRequestNotes } from '@gitbeaker/rest';
import { z } from 'zod';
import { Fault } from '../fault.ts';
import { ask } from './gitlab-ask.ts';
import type { GitLab } from './gitlab.ts';

type NotePart = Pick<GitLab, 'notes' | 'saveNote'>;

const needs = 'Notes need the scope api, and at least the role Reporter in that project.';
const noteSchema = z
  .object({ id: z.number(), body: z.string().nullish(), author: z.object({ username: z.string() }).nullish() })
  .transform(({ id, body, author }) => ({ id, body: body ?? '', author: author?.username ?? '' }));

/** Notes of merge requests (docs.gitlab.com/api/notes). */
export function connectNotes(resource: ConstructorParameters<typeof MergeRequestNotes>[0]): NotePart {
  const notes = new MergeRequestNotes(resource);
  return {
    async notes(project, iid) {
      return (
        (await ask(needs, z.array(noteSchema), () =>
          notes.all(project, iid, { sort: 'asc', perPage: 100 } as object),
        )) ?? []
      );
    },
    async saveNote(project, iid, id, body) {
      const saved = await ask(needs, noteSchema, () =>
        id === null ? notes.create(project, iid, body) : notes.edit(project, iid, id, { body }),
      );
      if (saved) return saved.id;
      throw new Fault('token_refused', `${project}!${iid} takes no note of this token`, { hint: needs });
    },
  };
}
