import { z } from 'zod';

/** Shape of a place that is changed. */
export const Target = z.object({
  kind: z.enum(['path', 'kustomize-images', 'setter', 'helm-values', 'flux-source', 'chart', 'workload']),
  file: z.string(),
  line: z.int(),
  column: z.int(),
  path: z.string(),
  image: z.string().nullable(),
  before: z.string(),
  after: z.string(),
});

/** Shape of a place that is left alone. */
export const NotTaken = z.object({
  kind: Target.shape.kind.nullable(),
  file: z.string(),
  line: z.int().optional(),
  column: z.int().optional(),
  image: z.string().nullable(),
  reason: z.enum([
    'precedence',
    'shared',
    'encrypted',
    'template',
    'unparsable',
    'other-image',
    'other-environment',
    'missing',
    'unchanged',
    'refused',
  ]),
  message: z.string(),
});
