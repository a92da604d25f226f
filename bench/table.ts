/** Tables for a terminal: a title, a head, columns as wide as they need to be. */
import type { Table } from './suite.ts';

/** The lines of a table; numbers stand to the right. */
export function tableLines({ title, rows }: Table): string[] {
  const columns = Object.keys(rows[0] ?? {});
  const widths = columns.map((column) =>
    Math.max(column.length, ...rows.map((row) => String(row[column] ?? '').length)),
  );
  const line = (cell: (column: string) => string | number): string =>
    columns
      .map((column, i) => {
        const value = cell(column);
        const text = String(value);
        return typeof rows[0]![column] === 'number'
          ? text.padStart(widths[i]!)
          : text.padEnd(widths[i]!);
      })
      .join('  ');
  return [
    title,
    line((column) => column),
    ...rows.map((row) => line((column) => row[column] ?? '')),
  ];
}
