import { isFields } from '../store/object.ts';

/** A CEL expression that cannot be evaluated, e.g. `no such key: digest`. */
class ExpressionError extends Error {}

type Tokens = { readonly all: readonly string[]; at: number };

function tokenize(source: string): Tokens {
  const pattern =
    /\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\d+(?:\.\d+)?|[A-Za-z_]\w*|==|!=|<=|>=|&&|\|\||[!<>()[\].,?:])/gy;
  const all: string[] = [];
  let end = 0;
  for (let match = pattern.exec(source); match; match = pattern.exec(source)) {
    all.push(match[1] ?? '');
    end = pattern.lastIndex;
  }
  if (source.slice(end).trim() !== '')
    throw new ExpressionError(`Syntax error: token recognition error at: '${source.slice(end)}'`);
  return { all, at: 0 };
}

function call(subject: unknown, name: string, args: readonly unknown[]): unknown {
  const [first] = args;
  if (typeof subject === 'string' && typeof first === 'string') {
    if (name === 'startsWith') return subject.startsWith(first);
    if (name === 'endsWith') return subject.endsWith(first);
    if (name === 'contains') return subject.includes(first);
    if (name === 'matches') return new RegExp(first).test(subject);
    if (name === 'split') return subject.split(first);
  }
  if (typeof subject === 'string' && name === 'lowerAscii') return subject.toLowerCase();
  if (name === 'size' && (typeof subject === 'string' || Array.isArray(subject))) return subject.length;
  throw new ExpressionError(`no such overload: ${name}`);
}

function pick(subject: unknown, key: unknown): unknown {
  if (Array.isArray(subject) && typeof key === 'number' && key < subject.length) return subject[key];
  if (isFields(subject) && typeof key === 'string' && key in subject) return subject[key];
  throw new ExpressionError(`no such key: ${String(key)}`);
}

type Value = () => unknown;
type Names = Readonly<Record<string, unknown>>;

/** CEL's `&&` and `||`: the side that decides alone makes the other's error not matter. */
function decide(left: Value, right: Value, deciding: boolean): unknown {
  let failure: unknown = null;
  for (const side of [left, right]) {
    try {
      if (side() === deciding) return deciding;
    } catch (error) {
      failure = error;
    }
  }
  if (failure !== null) throw failure;
  return !deciding;
}

function compare(sign: string, left: unknown, right: unknown): boolean {
  if (sign === '==') return left === right;
  if (sign === '!=') return left !== right;
  if (sign === 'in') return Array.isArray(right) ? right.includes(left) : isFields(right) && String(left) in right;
  if (typeof left !== typeof right) throw new ExpressionError(`no such overload: ${sign}`);
  const [a, b] = [left as number, right as number];
  return sign === '<' ? a < b : sign === '>' ? a > b : sign === '<=' ? a <= b : a >= b;
}

function parse(tokens: Tokens, names: Names): Value {
  const peek = () => tokens.all[tokens.at];
  const next = () => tokens.all[tokens.at++] ?? '';
  const take = (word: string) => {
    if (peek() !== word) return false;
    tokens.at += 1;
    return true;
  };
  const need = (word: string) => {
    if (!take(word))
      throw new ExpressionError(`Syntax error: mismatched input '${peek() ?? '<EOF>'}' expecting '${word}'`);
  };
  const items = (end: string): Value[] => {
    const found: Value[] = [];
    while (!take(end)) {
      found.push(ternary());
      if (peek() !== end) need(',');
    }
    return found;
  };
  function has(): Value {
    const value = unary();
    need(')');
    return () => {
      try {
        value();
        return true;
      } catch (error) {
        if (error instanceof ExpressionError && error.message.startsWith('no such key')) return false;
        throw error;
      }
    };
  }
  function primary(): Value {
    const word = next();
    if (word === '(') {
      const value = ternary();
      need(')');
      return value;
    }
    if (word === '[') {
      const values = items(']');
      return () => values.map((value) => value());
    }
    if (word === '!') {
      const value = unary();
      return () => value() !== true;
    }
    if (/^["']/.test(word)) return () => word.slice(1, -1).replaceAll(/\\(.)/g, '$1');
    if (/^\d/.test(word)) return () => Number(word);
    if (word === 'true' || word === 'false') return () => word === 'true';
    if (word === 'null') return () => null;
    if (word === 'has' && take('(')) return has();
    if (!(word in names)) throw new ExpressionError(`undeclared reference to '${word}'`);
    return () => names[word];
  }
  function unary(): Value {
    let value = primary();
    for (;;) {
      const subject = value;
      if (take('[')) {
        const key = ternary();
        need(']');
        value = () => pick(subject(), key());
      } else if (take('.')) {
        const name = next();
        if (take('(')) {
          const args = items(')');
          value = () =>
            call(
              subject(),
              name,
              args.map((arg) => arg()),
            );
        } else value = () => pick(subject(), name);
      } else return value;
    }
  }
  function comparison(): Value {
    const left = unary();
    const sign = peek() ?? '';
    if (!['==', '!=', '<', '>', '<=', '>=', 'in'].includes(sign)) return left;
    tokens.at += 1;
    const right = unary();
    return () => compare(sign, left(), right());
  }
  function chain(sign: string, part: () => Value, deciding: boolean): Value {
    let value = part();
    while (take(sign)) {
      const [left, right] = [value, part()];
      value = () => decide(left, right, deciding);
    }
    return value;
  }
  const both = () => chain('&&', comparison, false);
  function ternary(): Value {
    const value = chain('||', both, true);
    if (!take('?')) return value;
    const yes = ternary();
    need(':');
    const no = ternary();
    return () => (value() === true ? yes() : no());
  }
  return ternary();
}

/**
 * Value of a CEL expression: literals, fields, indexes, comparison, `in`, `&&`, `||`, `!`, `?:`, has(), and the string
 * functions startsWith, endsWith, contains, matches, split, lowerAscii, size. Throws `ExpressionError`.
 */
export function evaluateFilter(expression: string, variables: Names): unknown {
  const tokens = tokenize(expression);
  const value = parse(tokens, variables);
  if (tokens.at < tokens.all.length)
    throw new ExpressionError(`Syntax error: extraneous input '${tokens.all[tokens.at]}'`);
  return value();
}
