/** `if:` of rules on includes: lib/gitlab/ci/pipeline/expression of GitLab. */

type Token = {
  readonly kind: 'operator' | 'text' | 'pattern' | 'variable' | 'null' | 'open' | 'close';
  readonly text: string;
};

const lexemes: readonly (readonly [Token['kind'], RegExp])[] = [
  ['operator', /^(?:==|!=|=~|!~|&&|\|\|)/],
  ['open', /^\(/],
  ['close', /^\)/],
  ['null', /^null\b/],
  ['variable', /^\$(\w+)/],
  ['text', /^"([^"]*)"|^'([^']*)'/],
  ['pattern', /^\/(?:[^/\\]|\\.)*\/[ismU]*/],
];
const strength: Readonly<Record<string, number>> = { '||': 1, '&&': 2, '==': 3, '!=': 3, '=~': 3, '!~': 3 };

function tokens(statement: string): readonly Token[] {
  const found: Token[] = [];
  for (let rest = statement.trim(); rest !== '';) {
    const hit = lexemes.map(([kind, pattern]) => [kind, pattern.exec(rest)] as const).find(([, match]) => match);
    if (!hit?.[1]) throw new SyntaxError('invalid expression syntax');
    found.push({ kind: hit[0], text: hit[1][1] ?? hit[1][2] ?? (hit[0] === 'text' ? '' : hit[1][0]) });
    rest = rest.slice(hit[1][0].length).trim();
  }
  return found;
}

type Value = string | boolean | null;

/** Is the statement true? Throws `SyntaxError` where it is none. */
export function holds(statement: string, variables: Readonly<Record<string, string>>): boolean {
  const list = tokens(statement);
  let at = 0;
  const primary = (): Value => {
    const token = list[at];
    at += 1;
    if (token?.kind === 'open') {
      const inner = binary(0);
      if (list[at]?.kind !== 'close') throw new SyntaxError('invalid expression syntax');
      at += 1;
      return inner;
    }
    if (token?.kind === 'variable') return variables[token.text] ?? null;
    if (token?.kind === 'null') return null;
    if (token?.kind === 'text' || token?.kind === 'pattern') return token.text;
    throw new SyntaxError('invalid expression syntax');
  };
  const binary = (least: number): Value => {
    let left = primary();
    for (;;) {
      const operator = list[at];
      if (operator?.kind !== 'operator') return left;
      const power = strength[operator.text] ?? 0;
      if (power <= least) return left;
      at += 1;
      left = apply(operator.text, left, binary(power));
    }
  };
  const result = binary(0);
  if (at !== list.length) throw new SyntaxError('invalid expression syntax');
  return truthy(result);
}

const truthy = (value: Value) => value !== null && value !== false && value !== '';

function apply(operator: string, left: Value, right: Value): Value {
  if (operator === '&&') return truthy(left) && truthy(right);
  if (operator === '||') return truthy(left) || truthy(right);
  if (operator === '==') return left === right;
  if (operator === '!=') return left !== right;
  const parts = /^\/(.*)\/([ismU]*)$/s.exec(typeof right === 'string' ? right : '');
  const matches =
    parts !== null && new RegExp(parts[1] ?? '', parts[2]?.replace('U', '')).test(left === null ? '' : String(left));
  return operator === '=~' ? matches : !matches;
}
