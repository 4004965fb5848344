import { expect } from 'vitest';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { application } from './job-files.ts';
import type { Ran, RunOptions } from './job-runs.ts';
import type { JobWorld } from './job.ts';

/** What the answer to bad input must be. */
export interface Expected {
  readonly exit: number;
  readonly code: string;
  readonly message: RegExp;
  readonly hint: RegExp;
}

/**
 * The documented exit code, one JSON document with the fault, the same words on stderr with what to do, and all
 * report files.
 */
export function expectFault(ran: Ran, { exit, code, message, hint }: Expected): void {
  const { stdout, stderr } = ran;
  expect({ exit: ran.code, stdout, stderr }).toMatchObject({ exit });
  const fault = faultOf(ran, code);
  expect(fault).toEqual({
    code,
    message: expect.stringMatching(message),
    hint: expect.stringMatching(hint),
    docs: `docs/errors.md#${code}`,
  });
  expect(stderr + stdout).toContain(fault['hint']!.split('\n')[0]!);
  expectReports(ran, exit);
}

/** The fault of the document: of the run, else the one looked for among those of its artifacts, pairs and statuses. */
function faultOf({ document }: Ran, code: string): Readonly<Record<string, string>> {
  const found = document.fault ? [document.fault] : faultsIn(document);
  return found.find((fault) => fault['code'] === code) ?? found[0] ?? { missing: JSON.stringify(document) };
}

function faultsIn(value: unknown): readonly Readonly<Record<string, string>>[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'fault' ? [inner as Readonly<Record<string, string>>] : faultsIn(inner),
  );
}

/** Every report file is there and valid, and says the same. */
export function expectReports({ reports, document }: Ran, exit: number): void {
  expect(Object.keys(reports).toSorted()).toEqual([
    'junit.xml',
    'metrics.txt',
    'result.json',
    'sluice.env',
    'summary.md',
  ]);
  expect(JSON.parse(reports['result.json']!)).toEqual(document);
  expect(reports['sluice.env']).toMatch(/^([A-Za-z_][A-Za-z0-9_]*=.*\n)+$/);
  expect(reports['sluice.env']).toContain(`SLUICE_EXIT=${exit}\n`);
  expect(reports['junit.xml']).toMatch(
    /^<\?xml version="1.0" encoding="UTF-8"\?>\n<testsuites>[\s\S]*<\/testsuites>\n$/,
  );
  expect(/ failures="(\d+)"/.exec(reports['junit.xml']!)?.[1]).toBe(
    String([...reports['junit.xml']!.matchAll(/<failure /g)].length),
  );
  expect(reports['metrics.txt']).toMatch(/^(# TYPE \w+ gauge\n(\w+\{[^\n]*\} \S+\n)+)+# EOF\n$/);
  expect(reports['metrics.txt']).toContain(`} ${exit}\n`);
  expect(reports['summary.md']!.trim()).not.toBe('');
}

/** What a person gives, and what the answer must be. */
export interface Case extends Expected, RunOptions {
  readonly args: readonly string[];
  /** sluice.yaml that is named by --config. */
  readonly config?: string;
}

/** Plays a case: the answer is as it must be, and nothing anywhere is other than before. */
export async function expectRefusal(world: JobWorld, one: Case): Promise<void> {
  const before = await world.snapshot();
  const args = [...one.args];
  if (one.config !== undefined) {
    const folder = join(world.folder, 'settings');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'own.yaml'), one.config);
    args.push('--config', join(folder, 'own.yaml'));
  }
  const ofApplication = one.args[0] === 'update' ? { CI_PROJECT_PATH: application, CI_COMMIT_SHA: world.origin } : {};
  const ran = await world.run(args, { ...one, env: { ...ofApplication, ...one.env } });
  expectFault(ran, one);
  expect(await world.snapshot()).toEqual(before);
}
