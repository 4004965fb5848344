import manifest from '../package.json' with { type: 'json' };

/** The release that runs. */
export const version: string = manifest.version;

/** Oldest major version of Node that runs the commands; help and version print on any. */
export const oldestNode = 26;
