import { type Piece, TemplateError } from './lex.ts';

/** An operand or call of a pipeline. */
export type Expression =
  | { readonly type: 'literal'; readonly value: unknown }
  | { readonly type: 'path'; readonly root: string; readonly fields: readonly string[] }
  | { readonly type: 'inside'; readonly of: Expression; readonly fields: readonly string[] }
  | { readonly type: 'call'; readonly name: string; readonly args: readonly Expression[]; readonly at: string };

/** A part of a parsed template. `variable` of an output is set instead of written. */
export type Node =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'output'; readonly value: Expression; readonly variable: string | null; readonly at: string }
  | {
      readonly type: 'if' | 'with';
      readonly value: Expression;
      readonly variable: string | null;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    }
  | {
      readonly type: 'range';
      readonly value: Expression;
      readonly names: readonly string[];
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    }
  | { readonly type: 'template'; readonly name: string; readonly value: Expression | null; readonly at: string };

/** A parsed file: its own nodes and the templates it defines. */
export interface Template {
  readonly nodes: readonly Node[];
  readonly defines: ReadonlyMap<string, readonly Node[]>;
}

const unquote = (word: string): string => (word.startsWith('`') ? word.slice(1, -1) : (JSON.parse(word) as string));

function operand(queue: string[], at: string): Expression {
  const word = queue.shift();
  if (word === undefined) throw new TemplateError('missing value for command', at);
  if (word === '(') {
    const value = pipeline(queue, at, true);
    const next = queue[0];
    if (next === undefined || !/^\.\w/.test(next)) return value;
    queue.shift();
    return { type: 'inside', of: value, fields: next.slice(1).split('.') };
  }
  if (/^["`]/.test(word)) return { type: 'literal', value: unquote(word) };
  if (/^-?\d/.test(word)) return { type: 'literal', value: Number(word) };
  if (word === 'true' || word === 'false') return { type: 'literal', value: word === 'true' };
  if (word === 'nil') return { type: 'literal', value: null };
  if (word.startsWith('.') || word.startsWith('$')) {
    const [root = '', ...fields] = word.split('.');
    return { type: 'path', root: root === '' ? '.' : root, fields: fields.filter((field) => field !== '') };
  }
  if (/^\w/.test(word)) return { type: 'call', name: word, args: [], at };
  throw new TemplateError(`unexpected ${JSON.stringify(word)} in operand`, at);
}

function command(queue: string[], at: string): Expression {
  const head = operand(queue, at);
  const args: Expression[] = [];
  while (queue.length > 0 && queue[0] !== '|' && queue[0] !== ')') args.push(operand(queue, at));
  if (args.length === 0) return head;
  if (head.type !== 'call') throw new TemplateError("can't give argument to non-function", at);
  return { ...head, args };
}

function pipeline(queue: string[], at: string, isInner = false): Expression {
  let value = command(queue, at);
  while (queue[0] === '|') {
    queue.shift();
    const next = command(queue, at);
    if (next.type !== 'call') throw new TemplateError('non executable command in pipeline', at);
    value = { ...next, args: [...next.args, value] };
  }
  if (isInner && queue.shift() !== ')') throw new TemplateError('unclosed left paren', at);
  if (!isInner && queue.length > 0) throw new TemplateError(`unexpected ${JSON.stringify(queue[0])} in command`, at);
  return value;
}

/** Takes `$x :=`, `$x =` or `$k, $v :=` off the front. */
function declared(queue: string[]): readonly string[] {
  const end = queue.findIndex((word) => word === ':=' || word === '=');
  if (end < 1 || !queue[0]?.startsWith('$')) return [];
  return queue.splice(0, end + 1).filter((word) => word.startsWith('$'));
}

interface Reader {
  readonly pieces: readonly Piece[];
  readonly defines: Map<string, readonly Node[]>;
  at: number;
}

/** Reads nodes until `else` or `end`; answers the words after it. */
function block(reader: Reader, isTop: boolean): { readonly nodes: readonly Node[]; readonly end: readonly string[] } {
  const nodes: Node[] = [];
  for (;;) {
    const piece = reader.pieces[reader.at++];
    if (piece === undefined) {
      if (isTop) return { nodes, end: [] };
      throw new TemplateError('unexpected EOF');
    }
    if (piece.type === 'text') {
      nodes.push(piece);
      continue;
    }
    const at = `${piece.line}:${piece.column}`;
    const [keyword = '', ...rest] = piece.words;
    if (keyword === 'end' || keyword === 'else') {
      if (isTop) throw new TemplateError(`unexpected {{${keyword}}}`, at);
      return { nodes, end: piece.words };
    }
    if (keyword === 'define') reader.defines.set(unquote(rest[0] ?? '""'), block(reader, false).nodes);
    else if (keyword === 'template') {
      const [name = '""', ...value] = rest;
      nodes.push({ type: 'template', name: unquote(name), value: value.length > 0 ? pipeline(value, at) : null, at });
    } else if (keyword === 'if' || keyword === 'with' || keyword === 'range')
      nodes.push(branch(reader, keyword, rest, at));
    else {
      const queue = [...piece.words];
      if (queue.length === 0) throw new TemplateError('missing value for command', at);
      const [variable = null] = declared(queue);
      nodes.push({ type: 'output', value: pipeline(queue, at), variable, at });
    }
  }
}

function branch(reader: Reader, keyword: 'if' | 'with' | 'range', rest: readonly string[], at: string): Node {
  const queue = [...rest];
  const names = declared(queue);
  const value = pipeline(queue, at);
  const { nodes: body, end } = block(reader, false);
  let otherwise: readonly Node[] = [];
  if (end[0] === 'else' && (end[1] === 'if' || end[1] === 'with'))
    otherwise = [branch(reader, end[1], end.slice(2), at)];
  else if (end[0] === 'else') otherwise = block(reader, false).nodes;
  if (keyword === 'range') return { type: 'range', value, names, body, otherwise };
  return { type: keyword, value, variable: names[0] ?? null, body, otherwise };
}

/** Parses a template's pieces. Throws `TemplateError`. */
export function parseTemplate(pieces: readonly Piece[]): Template {
  const reader: Reader = { pieces, defines: new Map(), at: 0 };
  const { nodes } = block(reader, true);
  return { nodes, defines: reader.defines };
}
