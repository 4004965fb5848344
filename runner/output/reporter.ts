import { styleText } from 'node:util';
import type { Clock } from '../../src/systems/clock.ts';
import type { Reporter } from '../context.ts';

/** Where progress goes and how it may look. */
export interface ReporterOptions {
  /** Writes text to stderr, already redacted. */
  readonly write: (text: string) => void;
  readonly clock: Clock;
  readonly verbose: boolean;
  /** In a GitLab job: steps become collapsible sections of the job log. */
  readonly sections: boolean;
  readonly color: boolean;
}

/** Progress for people, line by line; `end` closes the last section. */
export function textReporter({ write, clock, verbose, sections, color }: ReporterOptions): Reporter & { end(): void } {
  let section: string | undefined;
  let count = 0;
  const paint = (style: 'bold' | 'yellow' | 'dim', text: string) =>
    color ? styleText(style, text, { validateStream: false }) : text;
  const seconds = () => Math.floor(clock.now() / 1000);
  const end = () => {
    if (section !== undefined) write(`\u001b[0Ksection_end:${seconds()}:${section}\r\u001b[0K\n`);
    section = undefined;
  };
  return {
    end,
    step(text) {
      end();
      if (sections) {
        count += 1;
        section = `sluice_${count}`;
        write(`\u001b[0Ksection_start:${seconds()}:${section}\r\u001b[0K${paint('bold', text)}\n`);
      } else write(`${paint('bold', text)}\n`);
    },
    info: (text) => write(`${indent(text)}\n`),
    warn: (text) => write(`${paint('yellow', `warning: ${text}`)}\n`),
    detail: (text) => {
      if (verbose) write(`${paint('dim', indent(text))}\n`);
    },
  };
}

function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
}
