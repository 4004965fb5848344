import { Fault, type ExitCode } from '../src/fault.ts';

/** Exit code of what a command threw: a Fault's own, 1 for anything else (a bug of sluice). */
export function exitOf(error: unknown): ExitCode {
  return error instanceof Fault ? error.exit : 1;
}
