import { tmpdir } from 'node:os';
import { writeLayout } from '../src/artifact/layout.ts';
import { openSnapshot } from '../src/artifact/snapshot.ts';
import { treeOf } from '../src/manifest/tree.ts';
import { localFiles } from '../src/systems/files-local.ts';
import { openRepository } from '../src/systems/git-local.ts';
import { runProcesses } from '../src/systems/process-run.ts';

/** Writes the layout of a whole commit and tells its seconds and peak memory in MB, as JSON: REPOSITORY COMMIT FOLDER. */
const [repository = '', sha = '', folder = ''] = process.argv.slice(2);
const started = performance.now();
const git = await openRepository({ folder: repository, processes: runProcesses(process.env) });
const snapshot = await openSnapshot(git, sha);
const entries = treeOf(snapshot.entries.files.keys())
  .below('')
  .toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  .flatMap((path) => snapshot.entries.files.get(path) ?? []);
const about = { title: 'bench', revision: `main@sha1:${sha}`, source: '', createdAt: snapshot.commit.committedAt };
const { size } = await writeLayout(localFiles(folder, tmpdir()), folder, snapshot.files(entries), about, ['bench']);
const seconds = (performance.now() - started) / 1000;
process.stdout.write(JSON.stringify({ seconds, memory: process.resourceUsage().maxRSS / 1000, size }));
