/** Bytes that arrived, by tenth of a second since the first. */

/** See the file header. */
export class Tenths {
  readonly #tenths: number[] = [];
  #firstMs: number | undefined;

  add(sizeBytes: number): void {
    const nowMs = performance.now();
    this.#firstMs ??= nowMs;
    const at = Math.floor((nowMs - this.#firstMs) / 100);
    while (this.#tenths.length <= at) this.#tenths.push(0);
    this.#tenths[at]! += sizeBytes;
  }

  toJSON(): readonly number[] {
    return this.#tenths;
  }
}
