/**
 * What a benchmark suite is. A file `bench/suites/NAME.ts` exports `suite`; `npm run -s bench -- NAME`
 * runs it. Every case is a ratio against something named, with a bar it must hold.
 */

/** One finished comparison. */
export interface Measurement {
  /** What is compared with what, and the unit: `patch of 8.4 MB: time / zstd prefix decode`. */
  readonly name: string;
  readonly ratio: number;
  /** Which way is good. */
  readonly better: 'higher' | 'lower';
  /** The ratio to reach or stay under. */
  readonly bar: number;
  /** The two figures behind the ratio, for people. */
  readonly detail: string;
}

/** A set of cases that share data and peers. */
export interface Suite {
  readonly name: string;
  /** One line: what is measured on which data. */
  readonly about: string;
  /** Packages of bench/peers it needs. */
  readonly peers: readonly string[];
  /** It needs the other Node versions of test/runtimes. */
  readonly runtimes?: boolean;
  /** Why it cannot run on this machine; it is skipped then, which is no failure. */
  obstacle?(): string | undefined;
  /** Parts that `--only` can name; none if absent. */
  readonly parts?: readonly string[];
  /** Runs the cases and yields each as it is done. */
  run(context: SuiteContext): AsyncIterable<Measurement>;
}

/** What a suite is run with. */
export interface SuiteContext {
  /** Shows progress. */
  readonly log: (line: string) => void;
  /** True when a part is to run. */
  readonly wants: (part: string) => boolean;
  /** Adds figures without a bar to the report. */
  readonly table: (table: Table) => void;
}

/** Figures without bars, for people; recorded beside the cases. */
export interface Table {
  readonly title: string;
  readonly rows: readonly Readonly<Record<string, string | number>>[];
}

/** A case as reported. */
export interface CaseReport {
  readonly name: string;
  readonly ratio: number;
  readonly better: 'higher' | 'lower';
  readonly bar: number;
  readonly pass: boolean;
}

/** What `--json` prints. */
export interface SuiteReport {
  readonly suite: string;
  readonly cases: readonly CaseReport[];
}
