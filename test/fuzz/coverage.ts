/**
 * Which parts of some compiled files ran, from V8's precise coverage. Asking costs milliseconds, so the fuzzer
 * asks after a batch of inputs and looks closer only when the batch reached something new.
 */
import { Session, type Profiler } from 'node:inspector';

/** Watches the functions of the files whose URL matches. */
export class BlockCoverage implements Disposable {
  readonly #session = new Session();
  readonly #files: RegExp;
  /** By function: which characters of its source ran. */
  readonly #seen = new Map<string, Uint8Array>();
  #size = 0;

  constructor(files: RegExp) {
    this.#files = files;
    this.#session.connect();
    this.#post('Profiler.enable');
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Characters of source that ran so far. */
  get size(): number {
    return this.#size;
  }

  /** What ran since the last question: true when some of it was new; `keep` counts it as seen. */
  take(keep: boolean): boolean {
    const { result } = this.#post('Profiler.takePreciseCoverage') as {
      readonly result: readonly Profiler.ScriptCoverage[];
    };
    let isNew = false;
    for (const { url, functions } of result) {
      if (!this.#files.test(url)) continue;
      for (const { ranges } of functions) isNew = this.#look(url, ranges, keep) || isNew;
    }
    return isNew;
  }

  /** The first range is the function; those after it lie within, and say how often parts of it ran. */
  #look(url: string, ranges: readonly Profiler.CoverageRange[], keep: boolean): boolean {
    const [{ startOffset, endOffset, count }] = ranges as [Profiler.CoverageRange];
    if (count === 0) return false;
    const ran = new Uint8Array(endOffset - startOffset);
    for (const range of ranges) {
      const isRun = range.count > 0 ? 1 : 0;
      ran.fill(isRun, range.startOffset - startOffset, range.endOffset - startOffset);
    }
    const name = `${url}:${startOffset}:${endOffset}`;
    const seen = this.#seen.get(name) ?? new Uint8Array(ran.length);
    const added = ran.reduce((sum, isRun, at) => sum + (isRun > seen[at]! ? 1 : 0), 0);
    if (keep && added > 0) {
      this.#size += added;
      this.#seen.set(
        name,
        seen.map((wasRun, at) => wasRun | ran[at]!),
      );
    }
    return added > 0;
  }

  [Symbol.dispose](): void {
    this.#session.disconnect();
  }

  /** Commands of an own session are answered before `post` returns. */
  #post(method: string, parameters: object = {}): unknown {
    let answer: unknown;
    this.#session.post(method, parameters, (error, result) => {
      if (error) throw error;
      answer = result;
    });
    return answer;
  }
}
