/** A piece of a Go template: text, or the words of an action. */
export type Piece =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'action'; readonly words: readonly string[]; readonly line: number; readonly column: number };

/** A template that cannot be parsed or executed. `at` is `line:column` where known. */
export class TemplateError extends Error {
  readonly at: string;
  constructor(message: string, at = '') {
    super(message);
    this.at = at;
  }
}

const word =
  /\s*("(?:[^"\\]|\\.)*"|`[^`]*`|'(?:[^'\\]|\\.)'|:=|\|\||[|()=,]|-?\d+(?:\.\d+)?|\$?[A-Za-z_]\w*(?:\.\w+)*|\$(?:\.\w+)*|(?:\.[A-Za-z_]\w*)+|\.)/gy;

/** Splits the inside of an action into words. A field after `)` is a word that begins with a dot. */
function words(source: string, at: string): readonly string[] {
  const found: string[] = [];
  word.lastIndex = 0;
  let end = 0;
  for (let match = word.exec(source); match; match = word.exec(source)) {
    found.push(match[1] ?? '');
    end = word.lastIndex;
  }
  if (source.slice(end).trim() !== '')
    throw new TemplateError(`unexpected ${JSON.stringify(source.slice(end).trim()[0])} in operand`, at);
  return found;
}

/** Cuts a template at its actions; `{{-` and `-}}` trim the text beside them, comments go. Throws `TemplateError`. */
export function pieces(source: string): readonly Piece[] {
  const found: Piece[] = [];
  let trimsNext = false;
  let end = 0;
  const text = (value: string, trimsEnd: boolean) => {
    const left = trimsNext ? value.trimStart() : value;
    const both = trimsEnd ? left.trimEnd() : left;
    if (both !== '') found.push({ type: 'text', text: both });
  };
  for (const match of source.matchAll(/\{\{(-(?=\s))?([^]*?)((?<=\s)-)?\}\}/g)) {
    const [whole, open, inside = '', close] = match;
    text(source.slice(end, match.index), open !== undefined);
    trimsNext = close !== undefined;
    end = match.index + whole.length;
    if (/^\s*\/\*/.test(inside)) continue;
    const before = source.slice(0, match.index).split('\n');
    const [line, column] = [before.length, (before.at(-1)?.length ?? 0) + 2];
    found.push({ type: 'action', words: words(inside, `${line}:${column}`), line, column });
  }
  if (source.slice(end).includes('{{')) throw new TemplateError('unclosed action');
  text(source.slice(end), false);
  return found;
}
