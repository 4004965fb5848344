import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { git, zeros } from './repositories.ts';
import type { Question } from './ci-config.ts';
import type { State } from './state.ts';

/** A fresh checkout without remote access; `origin/<default branch>` is what `rules:changes` compares with. */
export async function checkout(state: State, folder: string, question: Question): Promise<void> {
  const { project, sha } = question;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await git(state, folder, ['clone', '-q', '--shared', '--no-checkout', '--no-tags', project.repository, 'project']);
  const work = join(folder, 'project');
  await git(state, work, ['checkout', '-q', '--detach', sha]);
  const base =
    question.changesBase && question.changesBase !== zeros
      ? question.changesBase
      : (
          await git(state, work, [
            '-c',
            'user.name=x',
            '-c',
            'user.email=x',
            'commit-tree',
            '4b825dc642cb6eb9a060e54bf8d69288fbee4904',
            '-m',
            'nothing',
          ])
        ).trim();
  await git(state, work, ['remote', 'set-url', 'origin', `${state.url}/${project.path}.git`]);
  await git(state, work, ['update-ref', `refs/remotes/origin/${project.defaultBranch}`, base]);
  await git(state, work, ['symbolic-ref', 'refs/remotes/origin/HEAD', `refs/remotes/origin/${project.defaultBranch}`]);
}
