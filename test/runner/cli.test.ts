import { describe, expect, test } from 'vitest';
import { commands, readCommandLine } from '../../runner/cli.ts';
import { globalFlags } from '../../runner/settings/flags.ts';

describe('the command line', () => {
  test.each(commands.map((command) => [command.name, command] as const))(
    '%s: help with three examples, no flag twice',
    (name, command) => {
      const help = readCommandLine([name, '--help'], '1.0.0');
      expect(help.kind).toBe('text');
      if (help.kind !== 'text') return;
      expect(command.examples).toHaveLength(3);
      for (const [, line] of command.examples) expect(help.text).toContain(`sluice ${line}`);
      for (const flag of [...command.flags, ...globalFlags]) expect(help.text).toContain(`--${flag.name}`);
      const names = [...command.flags, ...globalFlags].map((flag) => flag.name);
      expect(new Set(names).size).toBe(names.length);
    },
  );

  test.each(commands.flatMap((command) => command.examples.map(([, line]) => [line])))(
    'the example "%s" is understood',
    (line) => {
      const words = [...line.split(/ [>|] /)[0]!.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
        (match) => match[1] ?? match[2] ?? match[3]!,
      );
      expect(readCommandLine(words, '1.0.0').kind).toMatch(/run|text/);
    },
  );

  test('values stay text: no tag becomes a number', () => {
    const invocation = readCommandLine(['edit', '--image', 'a:1.10', '--image', 'b:0012', 'x.yaml'], '1.0.0');
    expect(invocation).toMatchObject({ kind: 'run', given: { image: ['a:1.10', 'b:0012'] }, positional: ['x.yaml'] });
  });

  test.each([
    [['edit', '--imaeg', 'a:1', 'x'], /--imaeg/],
    [['pubish'], /pubish/],
    [['edit'], /argument/],
  ])('%j is a usage fault', (args, message) => {
    expect(() => readCommandLine(args, '1.0.0')).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.stringMatching(message) }),
    );
  });

  test('version and bare call print text', () => {
    expect(readCommandLine(['--version'], '1.2.3')).toEqual({ kind: 'text', text: '1.2.3\n' });
    expect(readCommandLine([], '1.2.3')).toMatchObject({
      kind: 'text',
      text: expect.stringContaining('Usage: sluice'),
    });
  });
});
