/**
 * What the terminal shows: colour when it may (NO_COLOR, not a terminal), aligned tables, and one live
 * line that gives way to plain lines. Machine-readable output goes to stdout, everything else too
 * unless `--json` is on: then it goes to stderr.
 */
import { isatty } from 'node:tty';
import { stripVTControlCharacters } from 'node:util';

const styles = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

/** A style name. */
export type Style = keyof typeof styles;

/** A cell of a table; numbers are right-aligned by the caller's choice. */
export type Row = readonly string[];

function mayColour(live: boolean): boolean {
  if (process.env['NO_COLOR']) return false;
  if (process.env['FORCE_COLOR'] && process.env['FORCE_COLOR'] !== '0') return true;
  return live;
}

function widthOf(text: string): number {
  return Array.from(stripVTControlCharacters(text)).length;
}

/** Writes to one stream. */
export class Terminal {
  readonly #stream: NodeJS.WriteStream;
  readonly #colour: boolean;
  readonly live: boolean;
  #liveShown = false;

  constructor(stream: NodeJS.WriteStream & { readonly fd: number } = process.stdout) {
    this.#stream = stream;
    this.live = isatty(stream.fd);
    this.#colour = mayColour(this.live);
  }

  /** `text` in a style, or plain where colour is not wanted. */
  paint(style: Style, text: string): string {
    return this.#colour ? `\u001B[${styles[style]}m${text}\u001B[0m` : text;
  }

  /** Writes a line; a live line steps aside. */
  line(text = ''): void {
    this.#clearLive();
    this.#stream.write(`${text}\n`);
  }

  /** Shows progress: a line that is overwritten on a terminal, nothing elsewhere. */
  progress(text: string): void {
    if (!this.live) return;
    this.#clearLive();
    const columns = Math.max(20, (this.#stream.columns ?? 80) - 1);
    this.#stream.write(this.paint('dim', Array.from(text).slice(0, columns).join('')));
    this.#liveShown = true;
  }

  /** Ends the live line. */
  done(): void {
    this.#clearLive();
  }

  /** Rows with a header; the first column left, the others right. */
  table(header: Row, rows: readonly Row[]): void {
    const widths = header.map((_, i) =>
      Math.max(...[header, ...rows].map((r) => widthOf(r[i] ?? ''))),
    );
    const format = (row: Row): string =>
      row
        .map((cell, i) => {
          const gap = ' '.repeat(widths[i]! - widthOf(cell));
          return i === 0 ? cell + gap : gap + cell;
        })
        .join('   ')
        .trimEnd();
    this.line(`  ${this.paint('dim', format(header))}`);
    for (const row of rows) this.line(`  ${format(row)}`);
  }

  #clearLive(): void {
    if (!this.#liveShown) return;
    this.#stream.write('\r\u001B[2K');
    this.#liveShown = false;
  }
}
