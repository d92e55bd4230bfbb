// Part of the map component: the mask of points that pass the filters.

class Mask {
  // `kept`: 1 or 0 per point, null if all pass. `onChange` is called after the mask changed.
  constructor(onChange) {
    Object.assign(this, { onChange, bytes: null, kept: null, count: 0, error: null });
  }

  // The old mask stays until the next is loaded, so that nothing flickers.
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
