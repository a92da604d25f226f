/** The logger a user may hand in; shaped like pino's, silent by default. */

/** One level of {@link Logger}: an object of particulars, then a sentence. */
export type LogFn = (particulars: object, message: string) => void;

/** What dwcp logs through; a pino instance fits as it is. */
export interface Logger {
  readonly debug: LogFn;
  readonly info: LogFn;
  readonly warn: LogFn;
  readonly error: LogFn;
}

const nothing: LogFn = () => {};

/** Drops everything. */
export const silentLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
};
