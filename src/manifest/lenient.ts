import { Lexer, Parser } from 'yaml';
import type { CST } from 'yaml';

/** What the library's lexer keeps for itself. */
interface Inner {
  flowLevel: number;
  parseQuotedScalar(): Generator<string, string>;
}

/**
 * Tokens of a text whose lines inside `[]`, `{}` and quotes may stand further left than YAML 1.2 has it: libyaml and the
 * readers that come from it, Go's and Python's, ignore indentation there, and so do manifests of every cluster.
 */
export function lenientTokens(text: string): readonly CST.Token[] {
  const lexer = new Lexer();
  const inner = lexer as unknown as Inner;
  const quoted = inner.parseQuotedScalar.bind(lexer);
  let quoting = false;
  let indent = 0;
  inner.parseQuotedScalar = function* () {
    quoting = true;
    try {
      return yield* quoted();
    } finally {
      quoting = false;
    }
  };
  Object.defineProperty(lexer, 'indentNext', {
    get: () => (quoting || inner.flowLevel > 0 ? 0 : indent),
    set: (next: number) => {
      indent = next;
    },
  });
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  for (const lexeme of lexer.lex(text)) tokens.push(...parser.next(lexeme));
  tokens.push(...parser.end());
  return tokens;
}
