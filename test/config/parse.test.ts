import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { allPairs, pairOf } from '../../src/config/pair.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { Fault } from '../../src/fault.ts';

const minimal = 'version: 1\nenvironments:\n  staging:\n    clusters: []\napps:\n  web:\n';

function faultOf(text: string): Fault {
  try {
    parseConfig(text, 'sluice.yaml');
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error('no fault');
}

test('short by convention: every default is filled in', () => {
  const config = parseConfig(minimal, 'sluice.yaml');
  expect(pairOf(config, 'web', 'staging', 'registry.example.com/team/delivery')).toMatchObject({
    source: 'oci',
    namespace: 'flux-system',
    tag: 'staging',
    files: 'reached',
    pin: null,
    health: 'workloads',
    report: ['status'],
    artifacts: [
      {
        name: 'web',
        path: 'apps/web',
        roots: ['apps/web/staging'],
        repository: 'registry.example.com/team/delivery/web',
      },
    ],
  });
});

test('the example of the repository is valid', async () => {
  const text = await readFile(join(import.meta.dirname, '../../examples/delivery/sluice.yaml'), 'utf8');
  const config = parseConfig(text, 'sluice.yaml');
  expect(allPairs(config).map((pair) => `${pair.environment.name}/${pair.app.name}`)).toEqual([
    'staging/podinfo',
    'staging/checkout',
    'staging/greeter',
    'production/podinfo',
    'production/checkout',
    'production/greeter',
  ]);
  expect(pairOf(config, 'podinfo', 'production').report).toEqual(['deployment', 'note']);
});

test("an app's own word comes before the environment's", () => {
  const config = parseConfig(
    'version: 1\nenvironments:\n  staging: { tag: "{environment}-all", timeout: 5m }\napps:\n  web: { tag: "{app}-{environment}" }\n  api: {}\n',
    'f',
  );
  expect(pairOf(config, 'web', 'staging')).toMatchObject({ tag: 'web-staging', timeoutMs: 300_000 });
  expect(pairOf(config, 'api', 'staging').tag).toBe('staging-all');
});

describe('faults', () => {
  test('all at once, each with file:line:column and the nearest name', () => {
    const fault = faultOf(
      'version: 1\nenvironments:\n  staging:\n    clusers: []\n  Prod:\n    changes: merge\napps:\n  web: { path: ../x }\n',
    );
    expect(fault.code).toBe('config_invalid');
    expect(fault.message.split('\n')).toEqual([
      'sluice.yaml:4:5: environments.staging.clusers: unknown key; did you mean clusters?',
      expect.stringContaining('sluice.yaml:5:3: environments.Prod: the name must be'),
      expect.stringContaining('sluice.yaml:6:14: environments.Prod.changes'),
      expect.stringContaining('sluice.yaml:8:16: apps.web.path: must stay inside'),
    ]);
  });

  test.each([
    ['', 'version: is missing'],
    ['a: [', 'not valid YAML'],
    ['version: 1\nversion: 1\n', 'not valid YAML'],
    [minimal.replace('clusters: []', 'promote_from: stage'), 'there is no environment stage'],
    [minimal.replace('clusters: []', 'promote_from: staging'), 'circle'],
    [minimal.replace('  web:', '  ledger:'), 'reserved'],
    [`${minimal}  api: { artifacts: [{ name: web, path: x }] }\n`, 'is taken by app web'],
    [minimal.replace('[]', '[{ name: a, agent: "g/p:a" }, { name: a, context: x }]'), 'cluster name a is taken'],
    [minimal.replace('[]', '[{ name: a }]'), 'needs either `agent` or `context`'],
    [minimal.replace('[]', '[{ name: a, context: x, notify: [receiver] }]'), 'needs `receiver`'],
    [minimal.replace('clusters: []', 'gates: { windows: ["Mon 25:00-26:00"] }'), 'no valid times'],
    [minimal.replace('clusters: []', 'gates: { windows: ["Mon-Fri 08:00-16:00 Mars/Olympus"] }'), 'no time zone'],
    [minimal.replace('  web:', '  web: { path: /etc }'), 'relative'],
    [minimal.replace('clusters: []', 'timeout: soon'), 'duration'],
  ])('%j', (text, message) => {
    const fault = faultOf(text);
    expect(fault.code).toBe('config_invalid');
    expect(fault.message).toContain(message);
    expect(fault.message).toMatch(/^sluice\.yaml:\d+:\d+: /);
  });

  test('what no release supports yet is named, never ignored', () => {
    const fault = faultOf(minimal.replace('clusters: []', 'gates: { soak: 30m }'));
    expect(fault).toMatchObject({
      code: 'not_supported',
      exit: 2,
      message: expect.stringContaining('environments.staging.gates.soak: not supported yet'),
    });
  });

  test('unknown app and environment name the nearest', () => {
    const config = parseConfig(minimal, 'sluice.yaml');
    expect(() => pairOf(config, 'wep', 'staging')).toThrow(
      expect.objectContaining({ code: 'unknown_app', message: expect.stringContaining('Did you mean web?') }),
    );
    expect(() => pairOf(config, 'web', 'stagin')).toThrow(
      expect.objectContaining({
        code: 'unknown_environment',
        message: expect.stringContaining('Did you mean staging?'),
      }),
    );
  });
});
