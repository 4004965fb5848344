import type { Group, Project, State } from './state.ts';

/** The project by full path or numeric id, or undefined. */
export function findProject(state: State, idOrPath: string | number): Project | undefined {
  const text = String(idOrPath);
  if (/^\d+$/.test(text)) return [...state.projects.values()].find((project) => project.id === Number(text));
  return state.projects.get(text.toLowerCase());
}

/** As `findProject`; throws for callers in this process, who should know. */
export function getProject(state: State, idOrPath: string | number): Project {
  const project = findProject(state, idOrPath);
  if (!project) throw new Error(`there is no project ${idOrPath}`);
  return project;
}

/** Groups above a path, nearest first. */
export function ancestors(state: State, path: string): readonly Group[] {
  const parts = path.split('/');
  const found: Group[] = [];
  for (let length = parts.length - 1; length > 0; length -= 1) {
    const group = state.groups.get(parts.slice(0, length).join('/').toLowerCase());
    if (group) found.push(group);
  }
  return found;
}
