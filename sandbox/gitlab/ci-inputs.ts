import { isMap } from './ci-yaml.ts';
import type { Config } from './ci-yaml.ts';
import type { Profile } from './handle.ts';

/**
 * `spec: inputs:` and the values for it, with GitLab's words: lib/ci/inputs and lib/gitlab/ci/config/header of GitLab
 * (up to 18.0 lib/ci/pipeline_creation/inputs).
 */

export type Inputs = Readonly<Record<string, unknown>>;

const types = ['array', 'boolean', 'number', 'string'];

interface Entry {
  readonly name: string;
  readonly type: string;
  readonly spec: Config;
}

/** What is wrong with a header; empty: nothing. */
export function headerFaults(header: Config, profile: Profile): readonly string[] {
  const unknown = (place: string, value: Config, known: readonly string[]) => {
    const others = Object.keys(value).filter((key) => !known.includes(key));
    return others.length > 0 ? [`${place} config contains unknown keys: ${others.join(', ')}`] : [];
  };
  const faults = [...unknown('header', header, ['spec'])];
  const spec = header['spec'];
  if (spec === null || spec === undefined) return faults;
  if (!isMap(spec)) return [...faults, 'header:spec config should be a hash'];
  const later = profile === '17.11' ? [] : ['component', 'include', ...(profile === '19.4' ? ['description'] : [])];
  faults.push(...unknown('header:spec', spec, ['inputs', ...later]));
  const inputs = spec['inputs'] ?? {};
  if (!isMap(inputs)) return [...faults, 'header:spec:inputs config should be a hash'];
  for (const [name, input] of Object.entries(inputs)) {
    const place = `header:spec:inputs:${name}`;
    if (input === null) continue;
    if (!isMap(input)) faults.push(`${place} config should be a hash`);
    else {
      const rules = profile === '19.4' ? ['rules'] : [];
      faults.push(...unknown(place, input, ['default', 'description', 'options', 'regex', 'type', ...rules]));
      if ('type' in input && !types.includes(String(input['type'])))
        faults.push(`${place} input type unknown value: ${String(input['type'])}`);
      const { options } = input;
      if (Array.isArray(options) && options.length > 50)
        faults.push(`${place} config cannot define more than 50 options`);
    }
  }
  return faults;
}

/** The inputs that a header declares. */
export function declaredInputs(header: Config): Config {
  const spec = header['spec'];
  const inputs = isMap(spec) ? spec['inputs'] : undefined;
  return isMap(inputs) ? inputs : {};
}

/** Values for the declared inputs, or what is wrong with those that were given. */
export function resolveInputs(
  declared: Config,
  given: Inputs,
  profile: Profile,
): { readonly values: Inputs; readonly faults: readonly string[] } {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  const unknown = Object.keys(given).filter((name) => !(name in declared));
  if (unknown.length > 0) faults.push(`unknown input arguments: ${unknown.join(', ')}`);
  for (const [name, spec] of Object.entries(declared)) {
    const own = isMap(spec) ? spec : {};
    const entry = { name, type: typeof own['type'] === 'string' ? own['type'] : 'string', spec: own };
    const value = given[name] ?? null;
    if (!('default' in own) && value === null) {
      faults.push(`\`${name}\` input: required value has not been provided`);
      continue;
    }
    const wrong = [
      ...('default' in own ? check(entry, coerce(entry, own['default'], profile), 'default') : []),
      ...(value === null ? [] : check(entry, coerce(entry, value, profile), 'provided')),
    ];
    faults.push(...wrong.map((fault) => `\`${name}\` input: ${fault}`));
    values[name] = coerce(entry, value ?? own['default'], profile);
  }
  return { values, faults };
}

/**
 * Inputs of a pipeline as GitLab 17.11 takes them: every text that is JSON becomes what it says, which an input of the
 * type string then refuses (`parse_params`; see gitlab.com/gitlab-org/gitlab/-/issues/535990).
 */
export function pipelineInputs(given: Inputs, profile: Profile): Inputs {
  if (profile !== '17.11') return given;
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, fromJson(value)]));
}

function fromJson(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** Later versions turn everything into text for inputs of the type string, and read text as JSON for the others. */
function coerce({ type }: Entry, value: unknown, profile: Profile): unknown {
  if (profile === '17.11') return value;
  return type === 'string' ? rubyText(value) : fromJson(value);
}

function check({ type, spec }: Entry, value: unknown, which: 'default' | 'provided'): readonly string[] {
  const fits =
    type === 'array' ? Array.isArray(value) : typeof value === type && (type !== 'number' || Number.isFinite(value));
  const faults = fits ? [] : [`${which} value is not ${type === 'array' ? 'an' : 'a'} ${type}`];
  const { options, regex } = spec;
  if (Array.isArray(options)) {
    const known = type === 'string' ? options.map(rubyText).includes(rubyText(value)) : options.includes(value);
    if (type === 'boolean' || type === 'array') faults.push('Options can only be used with string and number inputs');
    else if (!known) {
      const of = type === 'number' ? 'the allowed' : 'allowed';
      faults.push(`\`${rubyText(value)}\` cannot be used because it is not in the list of ${of} options`);
    }
  }
  if (regex !== undefined) faults.push(...checkRegex(type, rubyText(regex), value, which));
  return faults;
}

/** RE2 knows neither look-around nor back-references. */
const beyondRe2 = /\(\?<?[=!]|\\[1-9]/;

function checkRegex(type: string, regex: string, value: unknown, which: string): readonly string[] {
  if (type !== 'string') return ['RegEx validation can only be used with string inputs'];
  let pattern: RegExp;
  try {
    if (beyondRe2.test(regex)) return ['invalid regular expression'];
    pattern = new RegExp(regex);
  } catch {
    return ['invalid regular expression'];
  }
  if (typeof value !== 'string') return [];
  return pattern.test(value) ? [] : [`${which} value does not match required RegEx pattern`];
}

/** A value as Ruby's `to_s` writes it. */
export function rubyText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) return `[${value.map(inspect).join(', ')}]`;
  if (typeof value === 'object')
    return `{${Object.entries(value)
      .map(([key, each]) => `${JSON.stringify(key)}=>${inspect(each)}`)
      .join(', ')}}`;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

function inspect(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  return value === null || value === undefined ? 'nil' : rubyText(value);
}
