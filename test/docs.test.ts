import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseBatch } from '../src/app/batch.ts';
import { parseConfig } from '../src/config/parse.ts';
import { Fault } from '../src/fault.ts';
import { agentFaults } from './docs/agent.ts';
import { type Block, readPages, root } from './docs/blocks.ts';
import { ciFaults } from './docs/ci.ts';
import { completed } from './docs/fragment.ts';
import { manifestFaults } from './docs/manifests.ts';
import { pictureFaults } from './docs/picture.ts';
import { isFile, playPage } from './docs/run.ts';
import { commandFault, shellFaults } from './docs/shell.ts';
import { localProject, type LocalProject } from './templates/local.ts';
import { readTemplates } from './templates/template.ts';

/** Every code block of every page is run or validated; what cannot be says so, and why, in its info string. */

const pages = await readPages();
const blocks = pages.flatMap((page) => page.blocks);
const templates = await readTemplates();
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
const ajv = new Ajv({ strict: false, allErrors: true });
let project: LocalProject;
beforeAll(async () => {
  project = await localProject();
});
afterAll(() => project[Symbol.asyncDispose]());

async function faultsOf(block: Block): Promise<readonly string[]> {
  const { language, kind, text } = block;
  if (block.unchecked !== null) return language === 'sh' ? shellSyntax(text) : [];
  if (language === 'indented') return indentedFaults(text);
  if (language === 'mermaid') return pictureFaults(text);
  if (language === 'sh' && (kind === '' || kind === 'run')) return kind === 'run' ? [] : shellFaults(text);
  if (language === 'yaml' && kind === '.gitlab-ci.yml') return ciFaults(text, templates, version, project);
  if (language === 'yaml' && kind.startsWith('.gitlab/agents/')) return agentFaults(parse(text));
  if (language === 'yaml' && kind.endsWith('sluice.yaml')) return configFaults(text);
  if (language === 'yaml' && (kind === 'kubernetes' || isFile(block))) return manifestFaults(text);
  if (language === 'json' && kind === 'change')
    return refusal(() => parseBatch(text, 'change', { environments: [], origin: null }));
  if (language === 'json' && kind !== 'output') return jsonFaults(kind, text);
  if (kind === 'output') return follows(block) ? [] : ['no `run` block stands before this output'];
  if (language === 'text' && kind === 'usage') return usageFaults(text);
  return [`nobody checks a block "${language} ${kind}"`];
}

function shellSyntax(text: string): readonly string[] {
  return shellFaults(text).filter((fault) => fault.includes('syntax error'));
}

/** Lines of a command and, after two spaces, what it does. */
function indentedFaults(text: string): readonly string[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .flatMap((line) => commandFault(line.split(/ {2,}/)[0]!.split(' ')) ?? []);
}

function refusal(act: () => unknown): readonly string[] {
  try {
    act();
    return [];
  } catch (error) {
    if (error instanceof Fault) return [error.message];
    throw error;
  }
}

function configFaults(text: string): readonly string[] {
  return refusal(() => parseConfig(completed(text), 'sluice.yaml'));
}

async function jsonFaults(schema: string, text: string): Promise<readonly string[]> {
  const path = join(root, 'schema', `${schema}.schema.json`);
  const validate = ajv.compile(JSON.parse(await readFile(path, 'utf8')) as object);
  validate(JSON.parse(text));
  return (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
}

function follows(block: Block): boolean {
  const all = blocks.filter(({ page }) => page === block.page);
  return all[all.indexOf(block) - 1]?.kind === 'run';
}

function usageFaults(text: string): readonly string[] {
  const [program, command = ''] = text.trim().split(' ');
  return commandFault([program!, command, '--help']) === undefined ? [] : [`${text}: there is no such command`];
}

describe('code blocks', () => {
  test('there are many, and almost all are checked', () => {
    const left = blocks.filter(({ unchecked }) => unchecked !== null);
    expect(blocks.length).toBeGreaterThan(90);
    expect(left.length / blocks.length).toBeLessThan(0.1);
    for (const { where, unchecked } of left) expect(unchecked, where).toMatch(/\w+ \w+/);
  });

  test.each(blocks.map((block) => [block.where, block] as const))('%s', async (_where, block) => {
    expect(await faultsOf(block)).toEqual([]);
  });
});

describe.runIf(pages.some((page) => page.blocks.some(({ kind }) => kind === 'run')))('pages that run', () => {
  const playing = pages.filter((page) => page.blocks.some(({ kind }) => kind === 'run'));
  test.each(playing.map((page) => [page.path, page] as const))('%s', async (_path, page) => {
    expect(await playPage(page)).toEqual([]);
  });
});
