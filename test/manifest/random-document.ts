import * as fc from 'fast-check';

/** A YAML text printed by a small printer of our own, and where its values stand: so nothing is assumed of a parser. */
export interface Printed {
  readonly text: string;
  readonly values: readonly PrintedValue[];
  /** Number of documents. */
  readonly documents: number;
}

/** One scalar. */
export interface PrintedValue {
  readonly document: number;
  /** JSON Pointer. */
  readonly path: string;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** How many times as many runs as usual: 1, or what the environment asks for. */
export const effort = Number(process.env['SLUICE_TEST_EFFORT'] ?? 1);

const words = ['one', 'v1.2', 'reg:5000/a', '38', 'true', '1.5', 'two words', 'x/y@z', '-x', 'a#b', '2024-01-01', '-1'];
const scalar = fc.record({
  value: fc.constantFrom(...words),
  quote: fc.constantFrom('plain', 'plain', 'single', 'double'),
  anchor: fc.boolean(),
  comment: fc.constantFrom('', '', ' # note', '   # a: b "c" {', '\t# tab', '  # é😀'),
  gap: fc.constantFrom(' ', '  ', '     '),
  /** Nothing stands there, in block style; whether a blank ends the line. */
  empty: fc.constantFrom(null, null, null, null, null, '', ' '),
});
type Scalar = typeof scalar extends fc.Arbitrary<infer T> ? T : never;

interface Style {
  readonly flow: boolean;
  readonly blank: boolean;
  readonly above: boolean;
  readonly quotedKeys: boolean;
}
type Tree =
  | { readonly type: 'scalar'; readonly scalar: Scalar }
  | { readonly type: 'block'; readonly lines: readonly string[]; readonly header: string }
  | { readonly type: 'map' | 'list'; readonly items: readonly Tree[]; readonly style: Style };

const style = fc.record({
  flow: fc.boolean(),
  blank: fc.boolean(),
  above: fc.boolean(),
  quotedKeys: fc.boolean(),
});
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    { weight: 4, arbitrary: scalar.map((each): Tree => ({ type: 'scalar', scalar: each })) },
    {
      weight: 1,
      arbitrary: fc.record({
        type: fc.constant('block' as const),
        lines: fc.array(fc.constantFrom('k0: one', '# no comment', '', '  more', '- x', '---x'), {
          minLength: 1,
          maxLength: 3,
        }),
        header: fc.constantFrom('|', '>-', '|+', '>'),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constantFrom('map' as const, 'list' as const),
        items: fc.array(tie('tree'), { minLength: 1, maxLength: 4 }),
        style,
      }),
    },
  ),
}));
const shape = fc.record({
  bom: fc.boolean(),
  crlf: fc.boolean(),
  end: fc.boolean(),
  indent: fc.constantFrom(1, 2, 3, 4, 8),
  indented: fc.boolean(),
  head: fc.constantFrom('', '---', '--- # first', '# license\n', '%YAML 1.2\n---'),
  between: fc.constantFrom('---', '--- # next', '...\n---', '---\n# c', '---\n---'),
  documents: fc.array(fc.array(tree, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 }),
});

const printedAny: fc.Arbitrary<Printed> = shape.map((given) => {
  const values: PrintedValue[] = [];
  let text = given.bom ? '\uFEFF' : '';
  const line = given.crlf ? '\r\n' : '\n';
  const put = (part: string): void => {
    text += part.replaceAll('\n', line);
  };
  let document = 0;
  let anchors = 0;

  const scalarAt = (path: string, each: Scalar, flow: boolean): void => {
    if (each.anchor && !flow) put(`&a${(anchors += 1)} `);
    const start = text.length;
    const quote = { plain: '', single: "'", double: '"' }[each.quote];
    text += `${quote}${each.value}${quote}`;
    values.push({ document, path, text: each.value, start, end: text.length });
  };
  const flowAt = (path: string, node: Tree): void => {
    if (node.type === 'scalar') scalarAt(path, node.scalar, true);
    else if (node.type === 'block') put('~');
    else {
      put(node.type === 'map' ? '{' : '[');
      for (const [index, item] of node.items.entries()) {
        if (index > 0) put(node.style.blank ? ' ,' : ', ');
        if (node.type === 'map') put(`${keyOf(index, node.style)}: `);
        flowAt(`${path}/${node.type === 'map' ? `k${index}` : index}`, item);
      }
      put(node.type === 'map' ? ' }' : ']');
    }
  };
  /** After `key:` or `-`: the value and the end of its line. */
  const valueAt = (path: string, node: Tree, column: number): void => {
    if (node.type === 'scalar' && node.scalar.empty !== null) {
      const blank = node.scalar.empty;
      const start = text.length + (node.scalar.comment === '' ? blank.length : 0);
      put(`${blank}${node.scalar.comment}\n`);
      values.push({ document, path, text: '', start, end: start });
    } else if (node.type === 'scalar') {
      put(node.scalar.gap);
      scalarAt(path, node.scalar, false);
      put(`${node.scalar.comment}\n`);
    } else if (node.type === 'block') {
      put(` ${node.header}\n`);
      const pad = ' '.repeat(column + given.indent);
      put(`${pad}first\n${node.lines.map((each) => `${each === '' ? '' : pad}${each}\n`).join('')}`);
    } else if (node.style.flow) {
      put(' ');
      flowAt(path, node);
      put(' # flow\n');
    } else {
      put(node.style.above ? ' # above\n' : '\n');
      blockAt(path, node.type, node.items, node.style, column + given.indent);
    }
  };
  const blockAt = (path: string, type: 'map' | 'list', items: readonly Tree[], look: Style, column: number): void => {
    for (const [index, item] of items.entries()) {
      if (look.blank) put('\n');
      if (look.above) put(`${' '.repeat(column)}# k${index}: one\n`);
      put(' '.repeat(column));
      put(type === 'map' ? `${keyOf(index, look)}:` : '-');
      valueAt(`${path}/${type === 'map' ? `k${index}` : index}`, item, column);
    }
  };

  if (given.head !== '') put(given.head.endsWith('\n') ? given.head : `${given.head}\n`);
  for (const [index, items] of given.documents.entries()) {
    if (index > 0) {
      put(`${given.between}\n`);
      document += given.between === '---\n---' ? 2 : 1;
    }
    blockAt('', 'map', items, { flow: false, blank: false, above: false, quotedKeys: index === 1 }, 0);
  }
  const cut = !given.end && text.endsWith(line) && !/[|>][-+]?\r?\n[^]*first/.test(text.slice(-400));
  return { text: cut ? text.slice(0, -line.length) : text, values, documents: document + 1 };
});

/** Random documents with a value: maps and lists in block and flow style, comments, anchors, block scalars, several in one. */
export const printed = printedAny.filter(({ values }) => values.length > 0);

function keyOf(index: number, { quotedKeys }: Style): string {
  return quotedKeys ? `"k${index}"` : `k${index}`;
}
