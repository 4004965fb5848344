/** Rows as aligned columns; the last column is not padded. Widths count code points. */
export function alignedTable(rows: readonly (readonly string[])[]): string {
  const width = (text: string) => [...text].length;
  const widths = rows.reduce<number[]>(
    (sums, row) => row.map((cell, index) => Math.max(sums[index] ?? 0, width(cell))),
    [],
  );
  return rows
    .map((row) =>
      row
        .map((cell, index) => (index === row.length - 1 ? cell : cell + ' '.repeat(widths[index]! - width(cell))))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
