import { z } from 'zod';
import { faults, type FaultCode } from '../../src/fault.ts';
import { checks } from '../../src/operations/doctor/finding.ts';
import { NotTaken, Target } from './target-results.ts';

/** Shapes of the documents that commands write with --format json (and to result.json). Further keys may be added. */

const FaultDocument = z.object({
  code: z
    .enum([...(Object.keys(faults) as [FaultCode, ...FaultCode[]]), 'bug'])
    .describe('Code of docs/errors.md; bug: a bug of sluice.'),
  message: z.string(),
  hint: z.string(),
  docs: z.string(),
});

const Durations = z.record(z.string(), z.number()).describe('Seconds by step; `total` is the whole run.');
const Sha = z.string().regex(/^[0-9a-f]{40}$/);
const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const ObjectRef = z.object({ kind: z.string(), namespace: z.string(), name: z.string() });

const Origin = z.object({
  project: z.string(),
  commit: Sha,
  ref: z.string(),
  pipeline: z.int().nullable(),
});

const Edit = z.object({
  outcome: z.enum(['changed', 'unchanged']),
  files: z.array(z.string()),
  targets: z.array(Target),
  notTaken: z.array(NotTaken),
  diff: z.string().optional().describe('Unified diff, with --dry-run.'),
});

const Published = z.object({
  app: z.string(),
  artifact: z.string(),
  environment: z.string(),
  repository: z.string(),
  tags: z.array(z.string()),
  digest: Digest.nullable(),
  contentDigest: Digest.nullable(),
  revision: z.string(),
  source: z.enum(['oci', 'git']),
  outcome: z
    .enum(['pushed', 'unchanged', 'superseded', 'held', 'refused', 'failed'])
    .describe('pushed with source git: the branch holds new content, and nothing is pushed.'),
  reason: z.string(),
  fault: FaultDocument.optional(),
  origins: z.array(Origin),
});

const Publish = z.object({
  outcome: z.string(),
  project: z.string(),
  branch: z.string(),
  commit: Sha,
  ranges: z.array(z.object({ environment: z.string(), since: Sha.nullable(), until: Sha })),
  artifacts: z.array(Published),
});

const Prune = z.object({
  outcome: z.enum(['removed', 'planned', 'unchanged', 'failed']),
  project: z.string(),
  branch: z.string(),
  commit: Sha,
  keep: z.object({ days: z.int().nullable(), count: z.int().nullable() }),
  removed: z.int(),
  tags: z.array(
    z.object({
      repository: z.string(),
      tag: z.string(),
      digest: z.string().describe('Empty for a ledger.'),
      environment: z.string().nullable(),
      artifact: z.string().nullable(),
      outcome: z.enum(['removed', 'planned', 'kept', 'protected', 'failed']),
      reason: z.string(),
      inUse: z.boolean().describe('Kept although the bounds would remove it.'),
      fault: FaultDocument.optional(),
    }),
  ),
});

const DeliveredTarget = Target.extend({
  carried: z.boolean().optional().describe('An earlier update brought it into the open merge request.'),
});

const MergeRequest = z.object({ iid: z.int(), url: z.string(), state: z.string(), branch: z.string() });

const Update = z.object({
  outcome: z.string(),
  app: z.string().nullable().optional().describe('null: several.'),
  apps: z.array(z.string()).optional(),
  environments: z.array(z.string()).optional(),
  mode: z.string().nullable().optional(),
  delivery: z
    .object({
      project: z.string(),
      branch: z.string(),
      sha: Sha,
      mergeRequest: MergeRequest.nullable(),
      origins: z.array(Origin),
    })
    .nullable()
    .optional(),
  deliveries: z
    .array(
      z.object({
        outcome: z.enum(['pushed', 'unchanged', 'superseded', 'merge-request', 'planned']),
        apps: z.array(z.string()),
        environments: z.array(z.string()),
        commit: z.unknown(),
        skipped: z.array(
          z.object({
            app: z.string(),
            environment: z.string(),
            reason: z.enum(['held', 'superseded']),
            message: z.string(),
          }),
        ),
        attempts: z.int(),
        mergeRequest: MergeRequest.nullish().describe('The one that was open before, where changes arrive so.'),
        carried: z.array(z.unknown()).optional().describe('What earlier updates brought into it.'),
      }),
    )
    .optional(),
  refused: z.array(z.object({ code: z.string(), message: z.string() })).optional(),
  triggered: z
    .object({ project: z.string(), id: z.int(), url: z.string() })
    .optional()
    .describe('The delivery project’s pipeline, with --mode trigger.'),
  manifest: z
    .object({ targets: z.array(DeliveredTarget), files: z.array(z.unknown()), notTaken: z.array(NotTaken) })
    .optional(),
  diff: z.string().optional(),
});

const ObjectState = ObjectRef.extend({
  state: z.enum(['ready', 'progressing', 'failed', 'suspended', 'unknown']),
  reason: z.string(),
  message: z.string(),
});

const Status = z.object({
  project: z.string(),
  sha: Sha,
  name: z.string(),
  state: z.enum(['pending', 'running', 'success', 'failed', 'canceled', 'skipped']).nullable(),
  id: z.int().nullable(),
  message: z.string(),
  fault: FaultDocument.optional(),
});

const Phases = z.object({ fetched: z.number(), applied: z.number(), healthy: z.number() }).partial();

const Pair = z.object({
  environment: z.string(),
  app: z.string(),
  verdict: z.string(),
  reason: z.string(),
  message: z.string(),
  fault: FaultDocument.optional(),
  clusters: z.array(
    z.object({
      cluster: z.string(),
      artifact: z.string(),
      verdict: z.string(),
      reason: z.string(),
      message: z.string(),
      objects: z.array(ObjectState),
      seconds: Phases,
    }),
  ),
  statuses: z.array(Status),
  announced: z.array(
    z.object({
      environment: z.string(),
      app: z.string(),
      way: z.enum(['deployment', 'note']),
      project: z.string(),
      sha: Sha,
      id: z.int().nullable(),
      iid: z.int().optional(),
      message: z.string(),
      fault: FaultDocument.optional(),
    }),
  ),
  seconds: Phases,
});

const Sync = z.object({
  outcome: z.string(),
  pairs: z.array(Pair).optional(),
  repaired: z.array(z.unknown()).optional(),
});

const Notify = z.object({
  outcome: z.string(),
  requests: z.array(
    z.object({
      environment: z.string(),
      app: z.string(),
      artifact: z.string(),
      cluster: z.string(),
      source: ObjectRef.nullable(),
      way: z.enum(['annotate', 'receiver', 'oidc', 'none']).nullable(),
      token: z.string().nullable(),
      fault: FaultDocument.optional(),
    }),
  ),
});

const Init = z.object({
  outcome: z.enum(['planned', 'written', 'unchanged', 'merge-request']),
  environments: z.array(z.string()),
  apps: z.array(z.string()),
  files: z.array(
    z.object({
      path: z.string(),
      state: z
        .enum(['new', 'same', 'differs'])
        .describe('new: written · same: nothing to do · differs: left; `diff` is what a person would apply.'),
      diff: z.string().optional(),
      text: z.string().optional(),
    }),
  ),
  elsewhere: z.array(z.object({ project: z.string(), path: z.string(), text: z.string() })),
  assumptions: z.array(z.string()),
  bootstrap: z.array(z.object({ title: z.string(), lines: z.array(z.string()) })),
  mergeRequest: z.object({ iid: z.int(), url: z.string(), branch: z.string() }).nullable(),
});

const Doctor = z.object({
  outcome: z.enum(['ok', 'warn', 'fault', 'unknown']).describe('The worst state of all findings.'),
  gitlab: z.string().nullable(),
  delivery: z.string().nullable(),
  counts: z.object({ ok: z.int(), warn: z.int(), fault: z.int(), unknown: z.int() }),
  findings: z.array(
    z.object({
      check: z.enum(checks),
      id: z.string().describe('Stable name of what was found, e.g. agent-offline.'),
      state: z.enum(['ok', 'warn', 'fault', 'unknown']),
      subject: z.string(),
      message: z.string(),
      repair: z.string().nullable().describe('The one thing to do; of an unknown: what doctor needs.'),
      code: FaultDocument.shape.code.nullable().describe('Of a fault: the code under which other commands would fail.'),
    }),
  ),
  fault: FaultDocument.optional().describe('The fault that gives the exit code.'),
});

/** A command's document: its record (one of several), or a fault before there was one. */
function document(command: string, ...records: readonly z.ZodObject[]): z.ZodType {
  const name = z.literal(command);
  return z.union([
    ...records.map((record) => z.looseObject({ command: name, durations: Durations, ...record.shape })),
    z.looseObject({
      command: name,
      durations: Durations,
      outcome: z.enum(['failed', 'canceled']),
      fault: FaultDocument,
    }),
  ]);
}

/** Schema of each command's document, by command. */
export const results: Readonly<Record<string, z.ZodType>> = {
  edit: document('edit', Edit),
  update: document('update', Update),
  publish: document('publish', Publish, Prune),
  notify: document('notify', Notify),
  sync: document('sync', Sync),
  init: document('init', Init),
  doctor: document('doctor', Doctor),
  deliver: document('deliver', z.object({ outcome: z.string() })),
};
