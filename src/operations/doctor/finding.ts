import { faults, worstExit, type ExitCode, type FaultCode } from '../../fault.ts';

/** Parts of the chain that doctor looks at, in the order of the chain. */
export const checks = [
  'tools',
  'config',
  'gitlab',
  'token',
  'branch',
  'projects',
  'registry',
  'cleanup',
  'agent',
  'rights',
  'flux',
  'sources',
  'receivers',
  'posters',
  'credential',
] as const;

export type Check = (typeof checks)[number];

/**
 * One thing that was looked at. ok · warn: works, but should be changed · fault: breaks the chain or its safety ·
 * unknown: could not be looked at; `repair` then says what doctor needs.
 */
export interface Finding {
  readonly check: Check;
  /** Stable name of what was found, e.g. `agent-offline`. */
  readonly id: string;
  readonly state: 'ok' | 'warn' | 'fault' | 'unknown';
  /** What it is about: a cluster, an app, an environment; '' for the whole. */
  readonly subject: string;
  readonly message: string;
  /** The one thing to do; null where nothing is to do. */
  readonly repair: string | null;
  /** Of a fault: the code under which the other commands would fail. */
  readonly code: FaultCode | null;
}

/** Makes the findings of one check about one subject. */
export interface Judge {
  readonly ok: (id: string, message: string) => Finding;
  readonly warn: (id: string, message: string, repair: string) => Finding;
  readonly fault: (id: string, code: FaultCode, message: string, repair: string) => Finding;
  readonly unknown: (id: string, message: string, repair: string) => Finding;
}

/** Findings of a check about a subject. */
export function judge(check: Check, subject = ''): Judge {
  const made = (
    state: Finding['state'],
    id: string,
    message: string,
    repair: string | null,
    code: FaultCode | null,
  ): Finding => ({ check, id, state, subject, message, repair, code });
  return {
    ok: (id, message) => made('ok', id, message, null, null),
    warn: (id, message, repair) => made('warn', id, message, repair, null),
    fault: (id, code, message, repair) => made('fault', id, message, repair, code),
    unknown: (id, message, repair) => made('unknown', id, message, repair, null),
  };
}

/** 0 where there is no fault, else the first of 1, 7, 6, 4, 5, 3, 2 among the faults. */
export function exitOfFindings(findings: readonly Finding[]): ExitCode {
  return worstExit(
    findings.flatMap(({ state, code }) => (state === 'fault' && code !== null ? [faults[code].exit] : [])),
  );
}

/** The worst state: fault before warn before unknown before ok. */
export function sumOfFindings(findings: readonly Finding[]): Finding['state'] {
  const order = ['fault', 'warn', 'unknown'] as const;
  return order.find((state) => findings.some((finding) => finding.state === state)) ?? 'ok';
}
