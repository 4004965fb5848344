import { z } from 'zod';
import type { Publication } from '../artifact/published.ts';
import { Fault, faults } from '../fault.ts';
import type { FaultCode } from '../fault.ts';

const commit = z.string().regex(/^[0-9a-f]{40}$/);

const origin = z.object({
  project: z.string(),
  commit: z.string(),
  ref: z.string(),
  pipeline: z.number().int().nullable(),
});

const fault = z.object({
  code: z.enum(Object.keys(faults) as [FaultCode, ...FaultCode[]]),
  message: z.string(),
  hint: z.string(),
  docs: z.string(),
});

const artifact = z.object({
  app: z.string(),
  artifact: z.string(),
  environment: z.string(),
  repository: z.string(),
  tags: z.array(z.string()),
  digest: z.string().nullable(),
  contentDigest: z.string().nullable(),
  revision: z.string(),
  source: z.enum(['oci', 'git']),
  outcome: z.enum(['pushed', 'unchanged', 'superseded', 'held', 'refused', 'failed']),
  reason: z.string(),
  fault: fault.exactOptional(),
  origins: z.array(origin),
});

const publication = z.object({
  project: z.string(),
  branch: z.string(),
  commit,
  ranges: z.array(z.object({ environment: z.string(), since: z.string().nullable(), until: z.string() })),
  artifacts: z.array(artifact),
});

/** Reads what `publish` wrote (result.json; further fields are let be). Fault `usage` where it is something else. */
export function parsePublication(text: string, file: string): Publication {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Fault('usage', `${file} is no JSON`, { hint });
  }
  const parsed = publication.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new Fault('usage', `${file} is no result of \`sluice publish\`: ${z.prettifyError(parsed.error)}`, { hint });
}

const hint = 'Hand over result.json from the --report-dir of `sluice publish`, or leave --published out.';
