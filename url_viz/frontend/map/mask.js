// The mask of points that pass the filters.

import { keptOf } from "./decode.js";

/** @import { Points } from "./decode.js" */

export class Mask {
  /** @type {ArrayBuffer | null} as they came */
  bytes = null;
  /** @type {Uint8Array | null} 1 or 0 per point, null if all pass */
  kept = null;
  count = 0;
  /** @type {Error | null} why there is none */
  error = null;

  /** @param {() => void} onChange called after the mask changed */
  constructor(onChange) {
    this.onChange = onChange;
  }

  /**
   * The old mask stays until the next is loaded, so that nothing flickers.
   * @param {string} url none if all pass
   * @param {() => Points} points
   */
  async load(url, points) {
    this.loading?.abort();
    this.loading = new AbortController();
    const { signal } = this.loading;
    let [bytes, error] = [null, null];
    try {
      const response = url ? await fetch(url, { signal }) : null;
      if (response && !response.ok) throw new Error(`the server answered ${response.status}`);
      bytes = response && (await response.arrayBuffer());
    } catch (problem) {
      error = problem;
    }
    if (signal.aborted) return;
    Object.assign(this, { bytes, error });
    this.apply(points());
    this.onChange();
  }

  /** @param {Points} points */
  apply(points) {
    this.kept = this.bytes && keptOf(this.bytes, points);
    this.count = this.kept?.reduce((count, bit) => count + bit, 0);
  }
}
