// Part of the map's module: which points the filters keep.

class Mask {
  // `kept`: 1 or 0 a point, null where all are kept. `onChange`: it is another one.
  constructor(onChange) {
    Object.assign(this, { onChange, bytes: null, kept: null, count: 0, error: null });
  }

  // The mask before stays until the next is there: nothing flickers.
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

  apply(points) {
    this.kept = this.bytes && keptOf(this.bytes, points);
    this.count = this.kept?.reduce((count, bit) => count + bit, 0);
  }
}
