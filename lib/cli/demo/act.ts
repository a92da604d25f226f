/** What an act is: it runs on the stage, measures, and judges itself against stated bars. */
import type { Terminal } from '../terminal.ts';
import type { Cluster } from './cluster.ts';
import type { Feed } from './feed.ts';
import type { Inputs } from './inputs.ts';
import type { Hindrance } from './machine.ts';

/** One measured figure. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  /** For people. */
  readonly text: string;
  /** The bar, when there is one; lower is better. */
  readonly bar?: number;
  readonly barText?: string;
  readonly pass?: boolean;
  /** A bar on time, which other work on the machine can make it miss. */
  readonly timed?: boolean;
}

/** How an act ended. */
export interface ActResult {
  readonly id: string;
  readonly title: string;
  readonly state: 'passed' | 'failed' | 'not built';
  readonly headline: string;
  readonly figures: readonly Figure[];
  /** What the machine was doing meanwhile. */
  readonly hindrance?: Hindrance;
  /** Why it failed, when it could not finish. */
  readonly error?: string;
}

/** What an act works with. */
export interface Stage {
  readonly cluster: Cluster;
  readonly feed: Feed;
  readonly terminal: Terminal;
  readonly inputs: Inputs;
  /** Scratch folder on the disk the nodes write to. */
  readonly folder: string;
  /** 1, or more when an act is played again. */
  readonly attempt: number;
}

/** An act of the demo. */
export interface Act {
  readonly id: string;
  readonly title: string;
  /** What it is about, while it waits. */
  readonly promise: string;
  run(stage: Stage): Promise<Pick<ActResult, 'headline' | 'figures'>>;
}

/** A figure judged against a bar it must not pass. */
export function atMost(
  name: string,
  value: number,
  bar: number,
  show: (value: number) => string,
): Figure {
  const pass = Number.isFinite(value) && value <= bar;
  return { name, value, text: show(value), bar, barText: `≤ ${show(bar)}`, pass };
}

/** As {@link atMost}, for a time. */
export function soonerThan(...args: Parameters<typeof atMost>): Figure {
  return { ...atMost(...args), timed: true };
}

/** A figure that is only told. */
export function told(name: string, value: number, text: string): Figure {
  return { name, value, text };
}

/** True when the only bars missed are bars on time. */
export function onlyLate(figures: readonly Figure[]): boolean {
  return figures.every(({ pass, timed }) => pass !== false || timed === true);
}

/** True when no judged figure missed its bar. */
export function allPass(figures: readonly Figure[]): boolean {
  return figures.every((figure) => figure.pass !== false);
}
