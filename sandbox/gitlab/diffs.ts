import { git } from './repositories.ts';
import type { Api } from './request.ts';
import type { Project } from './state.ts';

/** Differences as the API shows them. */
export async function diffs(api: Api, project: Project, args: readonly string[]) {
  const raw = await git(api.state, project.repository, [
    'diff-tree',
    '-r',
    '-M',
    '--no-commit-id',
    '--raw',
    '--abbrev=40',
    '-z',
    '--root',
    '--first-parent',
    ...args.slice(0, 1).map((each) => each.replace(/\^!$/, '')),
    ...args.slice(1, -1),
  ]).catch(() => '');
  const fields = raw.split('\0');
  const found = [];
  for (let index = 0; index + 1 < fields.length;) {
    const head = (fields[index] ?? '').replace(/^:/, '').split(' ');
    const [aMode = '', bMode = '', , , kind = ''] = head;
    const renamed = kind.startsWith('R') || kind.startsWith('C');
    const oldPath = fields[index + 1] ?? '';
    const newPath = renamed ? (fields[index + 2] ?? '') : oldPath;
    index += renamed ? 3 : 2;
    if (kind === '') continue;
    const sha = args[0]?.replace(/\^!$/, '') ?? '';
    const patch = await git(api.state, project.repository, [
      'show',
      '--format=',
      '--first-parent',
      sha,
      '--',
      newPath,
    ]).catch(() => '');
    found.push({
      diff: patch.slice(Math.max(0, patch.indexOf('@@'))),
      collapsed: false,
      too_large: false,
      new_path: newPath,
      old_path: oldPath,
      a_mode: aMode,
      b_mode: bMode,
      new_file: kind === 'A',
      renamed_file: renamed,
      deleted_file: kind === 'D',
      generated_file: false,
    });
  }
  return found;
}
