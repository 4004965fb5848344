import type { Fault } from '../../src/fault.ts';

/** A fault for people: what, what to do, where to read more. */
export function faultText(fault: Fault): string {
  return [
    `error: ${fault.message}`,
    ...(fault.hint ? [`  ${fault.hint}`] : []),
    `  (${fault.code}: docs/errors.md#${fault.code})`,
    '',
  ].join('\n');
}

/** Anything that is no Fault is a bug of sluice: the stack, and what to report. */
export function bugText(error: unknown, version: string): string {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `error: this is a bug in sluice ${version}\n${stack}\n  Please report it with the command line, the version and the text above.\n`;
}
