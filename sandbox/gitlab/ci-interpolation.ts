import { expand } from './ci-variables.ts';
import { rubyText } from './ci-inputs.ts';
import { ConfigError, isMap } from './ci-yaml.ts';
import type { Config } from './ci-yaml.ts';
import type { Profile } from './handle.ts';

/** `$[[ inputs.x | function ]]`: lib/gitlab/ci/config/interpolation of GitLab. */

/** What blocks may name, and what functions work with. */
export interface Context {
  readonly inputs: Readonly<Record<string, unknown>>;
  /** Of a component that declares `spec: component:`, what it declares. */
  readonly component?: Readonly<Record<string, unknown>>;
  readonly variables: Readonly<Record<string, string>>;
  readonly masked: ReadonlySet<string>;
  readonly profile: Profile;
}

const block = /\$\[\[\s*(\S.*?\S)\s*\]\]/g;
const maxFunctions = 3;
const maxBlockBytes = 1024;

/** The content with its blocks replaced: a value alone keeps its type. Faults: `ConfigError`. */
export function interpolate(content: Config, context: Context): Config {
  return walk(content, context) as Config;
}

function walk(node: unknown, context: Context): unknown {
  if (typeof node === 'string') return text(node, context);
  if (Array.isArray(node)) return node.map((each) => walk(each, context));
  if (!isMap(node)) return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [rubyText(text(key, context)), walk(value, context)]),
  );
}

function text(node: string, context: Context): unknown {
  if (!node.includes('$[[')) return node;
  const found = [...node.matchAll(block)];
  if (found.length === 1 && found[0]?.[0] === node) return evaluate(found[0][1] ?? '', context);
  return node.replaceAll(block, (_, data: string) => rubyText(evaluate(data, context)));
}

function evaluate(data: string, context: Context): unknown {
  const [access = '', ...functions] = data.split('|').map((part) => part.trim());
  if (Buffer.byteLength(access) > maxBlockBytes)
    throw new ConfigError('maximum interpolation expression size exceeded');
  const path = access.split('.');
  if (path.length < 2) throw new ConfigError('invalid interpolation access pattern');
  const scope = { inputs: context.inputs, ...(context.component ? { component: context.component } : {}) };
  const value = path.reduce<unknown>((object, key) => {
    if (!isMap(object) || !Object.hasOwn(object, key)) throw new ConfigError(`unknown interpolation key: \`${key}\``);
    return object[key];
  }, scope);
  if (functions.length > maxFunctions) throw new ConfigError('too many functions in interpolation block');
  const steps = functions.map((name) => known(name, context.profile));
  return steps.reduce((result, step) => step(result, context), value);
}

type Step = (value: unknown, context: Context) => unknown;

/** Functions with the version that brought them. */
function known(expression: string, profile: Profile): Step {
  const truncate = /^truncate\(\s*(\d+)\s*,\s*(\d+)\s*\)?$/.exec(expression);
  if (truncate) {
    const [offset, length] = [Number(truncate[1]), Number(truncate[2])];
    return (value) => [...onText('truncate', value)].slice(offset, offset + length).join('');
  }
  if (expression === 'expand_vars')
    return (value, context) => {
      const given = onText('expand_vars', value);
      const masked = [...context.masked].find((name) => new RegExp(`\\$\\{?${name}\\b`).test(given));
      if (masked !== undefined) throw new ConfigError(`variable expansion error: masked variables cannot be expanded`);
      // Names that nobody knows stay as they are.
      return given.replaceAll(/\$\{?(\w+)\}?/g, (all, name: string) =>
        context.variables[name] === undefined ? all : expand(all, context.variables),
      );
    };
  if (expression === 'posix_escape' && profile !== '17.11')
    return (value) => {
      const given = onText('posix_escape', value);
      return given === '' ? "''" : given.replaceAll(/[^\w\-.,:+/@\n]/g, String.raw`\$&`).replaceAll('\n', "'\n'");
    };
  const split = /^split\('([^']*)'\)$/.exec(expression);
  if (split && profile === '19.4')
    return (value) => {
      const given = onText('split', value);
      if (!split[1]) throw new ConfigError('invalid argument: separator cannot be empty');
      return given
        .split(split[1])
        .map((part) => part.trim())
        .filter((part) => part !== '');
    };
  throw new ConfigError(
    `no function matching \`${expression}\`: check that the function name, arguments, and types are correct`,
  );
}

function onText(name: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw new ConfigError(`invalid input type: ${name} can only be used with string inputs`);
}
