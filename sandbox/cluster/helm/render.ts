import { isFields } from '../store/object.ts';
import { functions, isTrue, print } from './functions.ts';
import { pieces, TemplateError } from './lex.ts';
import { type Expression, type Node, parseTemplate } from './parse.ts';

type Scope = Map<string, unknown>;

interface Run {
  readonly defines: Map<string, readonly Node[]>;
  readonly root: unknown;
}

function below(value: unknown, names: readonly string[]): unknown {
  return names.reduce<unknown>((here, name) => (isFields(here) ? here[name] : undefined), value);
}

function include(run: Run, name: unknown, dot: unknown, at: string): string {
  const nodes = run.defines.get(print(name));
  if (!nodes)
    throw new TemplateError(
      `error calling include: template: no template ${JSON.stringify(name)} associated with template "gotpl"`,
      at,
    );
  return write(run, nodes, dot, new Map([['$', dot]]));
}

function evaluate(run: Run, expression: Expression, dot: unknown, scope: Scope): unknown {
  const value = (one: Expression) => evaluate(run, one, dot, scope);
  switch (expression.type) {
    case 'literal':
      return expression.value;
    case 'path':
      if (expression.root !== '.' && !scope.has(expression.root))
        throw new TemplateError(`undefined variable "${expression.root}"`);
      return below(expression.root === '.' ? dot : scope.get(expression.root), expression.fields);
    case 'inside':
      return below(value(expression.of), expression.fields);
    default: {
      const { name, args, at } = expression;
      if (name === 'and') return args.map(value).reduce((all, one) => (isTrue(all) ? one : all));
      if (name === 'or') return args.map(value).reduce((all, one) => (isTrue(all) ? all : one));
      const given = args.map(value);
      if (name === 'include') return include(run, given[0], given[1], at);
      if (name === 'tpl') return renderText(run, print(given[0]), given[1]);
      const act = functions[name];
      if (!act) throw new TemplateError(`function ${JSON.stringify(name)} not defined`, at);
      try {
        return act(...given);
      } catch (error) {
        if (!(error instanceof TemplateError) || error.at !== '') throw error;
        throw new TemplateError(error.message, at);
      }
    }
  }
}

function repeat(run: Run, node: Extract<Node, { type: 'range' }>, dot: unknown, scope: Scope): string {
  const value = evaluate(run, node.value, dot, scope);
  const entries: readonly (readonly [unknown, unknown])[] = Array.isArray(value)
    ? [...value.entries()]
    : isFields(value)
      ? Object.keys(value)
          .sort()
          .map((key) => [key, value[key]])
      : typeof value === 'number'
        ? Array.from({ length: value }, (_, i) => [i, i])
        : [];
  if (entries.length === 0) return write(run, node.otherwise, dot, scope);
  const [first, second] = node.names;
  return entries
    .map(([key, item]) => {
      const inner: Scope = new Map(scope);
      if (first !== undefined) inner.set(first, second === undefined ? item : key);
      if (second !== undefined) inner.set(second, item);
      return write(run, node.body, item, inner);
    })
    .join('');
}

function write(run: Run, nodes: readonly Node[], dot: unknown, scope: Scope): string {
  return nodes
    .map((node) => {
      switch (node.type) {
        case 'text':
          return node.text;
        case 'output': {
          const value = evaluate(run, node.value, dot, scope);
          if (node.variable === null) return print(value);
          scope.set(node.variable, value);
          return '';
        }
        case 'template':
          return include(run, node.name, node.value === null ? null : evaluate(run, node.value, dot, scope), node.at);
        case 'range':
          return repeat(run, node, dot, scope);
        default: {
          const value = evaluate(run, node.value, dot, scope);
          if (node.variable !== null) scope.set(node.variable, value);
          return isTrue(value)
            ? write(run, node.body, node.type === 'with' ? value : dot, scope)
            : write(run, node.otherwise, dot, scope);
        }
      }
    })
    .join('');
}

function renderText(run: Run, source: string, dot: unknown): string {
  const { nodes, defines } = parseTemplate(pieces(source));
  for (const [name, define] of defines) run.defines.set(name, define);
  return write(run, nodes, dot, new Map([['$', dot]]));
}

/**
 * Renders a chart's templates (path → text) with `{Values, Release, Chart, Capabilities, Template}`; partials (`_*`) and
 * NOTES.txt give no output. Go template syntax with Helm's most used functions. Throws `TemplateError` with Helm's text.
 */
export function renderChart(
  chart: string,
  templates: Readonly<Record<string, string>>,
  values: Readonly<Record<string, unknown>>,
): ReadonlyMap<string, string> {
  const run: Run = { defines: new Map(), root: values };
  const isPartial = (path: string) => /(^|\/)(_[^/]*|NOTES\.txt)$/.test(path);
  const named = (path: string, error: unknown) => {
    if (!(error instanceof TemplateError)) throw error;
    const where = `${chart}/${path}${error.at === '' ? '' : `:${error.at}`}`;
    return new TemplateError(`execution error at (${where}): ${error.message}`);
  };
  const parsed = Object.entries(templates).map(([path, source]) => {
    try {
      const template = parseTemplate(pieces(source));
      for (const [name, nodes] of template.defines) run.defines.set(name, nodes);
      return { path, nodes: template.nodes };
    } catch (error) {
      throw named(path, error);
    }
  });
  return new Map(
    parsed
      .filter(({ path }) => !isPartial(path))
      .map(({ path, nodes }) => {
        const dot = { ...values, Template: { Name: `${chart}/${path}`, BasePath: `${chart}/templates` } };
        try {
          return [path, write(run, nodes, dot, new Map([['$', dot]]))];
        } catch (error) {
          throw named(path, error);
        }
      }),
  );
}
