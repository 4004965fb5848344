import { z } from 'zod';
import { Fault } from '../fault.ts';
import type { AppChange, ImageChange } from './change.ts';
import { parseImageFlag } from './image.ts';

const name = z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'is no name of sluice.yaml');
const line = z.string().regex(/^[^\n\r\0]*$/, 'holds a line break');

const image = z.strictObject({
  name: z.string().min(1),
  newName: z.string().optional(),
  tag: z.string().optional(),
  digest: z.string().optional(),
});

const origin = z.strictObject({
  project: z.string().regex(/^[\w.-]+(\/[\w.-]+)+$/, 'is no full path of a project'),
  commit: z.string().regex(/^[0-9a-f]{40}$/, 'is not a full commit id (40 hexadecimal digits)'),
  ref: line.default(''),
  pipeline: z.int().positive().nullable().default(null),
});

const change = z.strictObject({
  app: name,
  environments: z.array(name).min(1).optional(),
  images: z.array(image).default([]),
  values: z.array(z.strictObject({ file: line.min(1), path: line, value: z.string() })).default([]),
  origin: origin.nullish(),
});

/** What a change takes where it says nothing itself. */
export type Unsaid = Pick<AppChange, 'environments' | 'origin'>;

/**
 * Reads a batch: a JSON list of AppChange. `environments` and `origin` may be left out: then `unsaid` holds (an origin
 * that is null has none). `where` names the text in messages. Faults `usage` (every wrong place), `image_reference`.
 */
export function parseBatch(text: string, where: string, unsaid: Unsaid): readonly AppChange[] {
  const parsed = z.array(change).min(1).safeParse(parseJson(text, where));
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${where}: ${placeOf(path)}${message}`);
    throw new Fault('usage', problems.join('\n'), {
      hint: 'Write a JSON list of {app, environments, images, values}.',
    });
  }
  return parsed.data.map((each, index) => {
    const environments = [...new Set(each.environments ?? unsaid.environments)];
    if (environments.length === 0) throw new Fault('usage', `${where}: [${index}].environments is missing`);
    if (each.images.length + each.values.length === 0) {
      throw new Fault('usage', `${where}: [${index}] changes nothing: it has neither images nor values`);
    }
    return {
      app: each.app,
      environments,
      images: each.images.map(imageOf),
      values: each.values,
      origin: each.origin === undefined ? unsaid.origin : each.origin,
    };
  });
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new Fault('usage', `${where} is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The image, checked as --image is. */
function imageOf(given: z.infer<typeof image>): ImageChange {
  const { newName = '', tag, digest } = given;
  const rest = `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
  return parseImageFlag(`${given.name}=${newName}${rest}`);
}

function placeOf(path: readonly PropertyKey[]): string {
  return path.length === 0
    ? ''
    : `${path.map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index === 0 ? '' : '.'}${String(step)}`)).join('')}: `;
}
