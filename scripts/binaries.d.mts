/** Where built tools are kept: $XDG_CACHE_HOME/sluice/bin, else ~/.cache/sluice/bin. */
export function cacheDirectory(env?: NodeJS.ProcessEnv): string;
/** The Go toolchain's version ("go1.26.8"), or undefined where Go is missing. */
export function goVersion(): string | undefined;
/** Fails with the repair when Go is missing or older than 1.26; gives its version. */
export function requireGo(why: string): string;
/** Path that the built tool has, or will have, in the cache. */
export function binaryPath(name: string, env?: NodeJS.ProcessEnv): string;
/** Is the tool built, and as long as it was when it was built? */
export function isBuilt(name: string, env?: NodeJS.ProcessEnv): boolean;
/** Seconds that a cold build of the tools takes on two cores, and GiB of disk that it needs meanwhile. */
export function buildEstimate(names: readonly string[]): { readonly seconds: number; readonly gibibytes: number };
/** First folder of PATH that holds an executable of this name, or undefined. */
export function onPath(name: string, env?: NodeJS.ProcessEnv): string | undefined;
/** Builds what is missing, one after the other; gives what was done for each. */
export function ensureBinaries(
  names: readonly string[],
  options?: {
    readonly log?: (line: string) => void;
    readonly env?: NodeJS.ProcessEnv;
    readonly signal?: AbortSignal;
  },
): Promise<{ readonly name: string; readonly path: string; readonly seconds: number; readonly built: boolean }[]>;
