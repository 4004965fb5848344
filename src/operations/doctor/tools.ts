import { judge, type Finding } from './finding.ts';

/** A program that sluice calls. */
export interface ToolNeed {
  readonly tool: string;
  /** Arguments that print its version. */
  readonly args: readonly string[];
  readonly least: string;
  readonly why: string;
  readonly install: string;
}

export const toolNeeds: readonly ToolNeed[] = [
  {
    tool: 'git',
    args: ['--version'],
    least: '2.34.0',
    why: 'update and publish read and write the delivery repository with it',
    install: 'Install git (Debian: apt-get install git), or run in the runner image.',
  },
  {
    tool: 'oras',
    args: ['version'],
    least: '1.2.0',
    why: 'publish pushes artifacts with it',
    install: 'Install ORAS 1.3.3 or newer (https://oras.land/docs/installation), or run in the runner image.',
  },
  {
    tool: 'kustomize',
    args: ['version'],
    least: '5.0.0',
    why: 'publish proves artifacts with it',
    install:
      'Install kustomize 5.8.1 or newer (https://kubectl.docs.kubernetes.io/installation/kustomize/), or run in the runner image.',
  },
];

/** Judges what a program printed as its version; null: it is not installed. Builds without a version number pass. */
export function judgeTool({ tool, least, why, install }: ToolNeed, printed: string | null): Finding {
  const { ok, warn, fault } = judge('tools', tool);
  if (printed === null) return fault('tool-missing', 'tool_missing', `${tool} is not installed: ${why}`, install);
  const version = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(printed)?.[0];
  if (version === undefined) return ok('tool', 'is there, without a version number');
  if (isOlder(version, least)) return warn('tool-old', `${version} is older than ${least}: ${why}`, install);
  return ok('tool', version);
}

/** Is one dotted version older than another? */
export function isOlder(version: string, than: string): boolean {
  const [a, b] = [version, than].map((text) => text.split('.').map(Number));
  for (const index of [0, 1, 2]) {
    const difference = (a?.[index] ?? 0) - (b?.[index] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
