import type { ExitCode } from '../src/fault.ts';
import type { Context } from './context.ts';

/** A flag of a command. Its environment variable is `SLUICE_<NAME>` (upper case, `-` → `_`). */
export interface Flag {
  /** Long name without dashes, e.g. `dry-run`. */
  readonly name: string;
  readonly type: 'boolean' | 'string' | 'list' | 'duration' | 'integer';
  /** Placeholder in the help, e.g. `NAME`. */
  readonly value?: string;
  readonly summary: string;
  readonly choices?: readonly string[];
  /** GitLab's predefined variable that is taken where neither flag nor SLUICE_ variable is given. */
  readonly gitlab?: string;
  /** Shown in the help and used last. */
  readonly default?: string;
}

/** A positional argument. */
export interface Argument {
  readonly name: string;
  readonly summary: string;
  readonly required: boolean;
  readonly variadic: boolean;
}

/** What a command gives back: the record for `--format json`, the text for people, and the exit code. */
export interface CommandResult {
  /** JSON-safe; `command`, `outcome`, `durations` are added by the runner unless set. */
  readonly record: { readonly outcome: string } & Readonly<Record<string, unknown>>;
  /** stdout in text format. */
  readonly text: string;
  readonly exit: ExitCode;
  /** Lines of `sluice.env` (dotenv report). */
  readonly dotenv?: Readonly<Record<string, string>>;
  /** Test cases of `junit.xml`. */
  readonly cases?: readonly {
    readonly suite: string;
    readonly name: string;
    readonly seconds: number;
    readonly failure?: string;
    readonly skipped?: string;
  }[];
  /** Gauges of `metrics.txt` (OpenMetrics); those of one name follow each other. */
  readonly metrics?: readonly {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
  }[];
  /** `summary.md`. */
  readonly summary?: string;
}

/** One verb of the CLI, as data; its code is loaded when it runs. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly description: string;
  readonly arguments: readonly Argument[];
  readonly flags: readonly Flag[];
  /** Three real examples: [what it does, command line after `sluice`]. */
  readonly examples: readonly (readonly [string, string])[];
  load(): Promise<(context: Context) => Promise<CommandResult>>;
}
