// The pictures that are chosen in a grid: one by one, by range, or all.

/** The chosen ids, and the picture from which a range reaches. */
export class Choice {
  constructor() {
    /** @type {Set<string>} */
    this.ids = new Set();
    /** @type {string | null} */
    this.anchor = null;
  }

  get size() {
    return this.ids.size;
  }

  /** @param {string} id */
  has(id) {
    return this.ids.has(id);
  }

  /** @param {string} id chosen if it was not, else no more; ranges reach from it */
  toggle(id) {
    if (!this.ids.delete(id)) this.ids.add(id);
    this.anchor = id;
  }

  /**
   * Choose all from the last one that was toggled to this one.
   * @param {string[]} order @param {string} id @param {string | null} from the anchor if there is none yet
   */
  reach(order, id, from = null) {
    if (!order.includes(this.anchor)) this.anchor = from ?? id;
    const [one, other] = [order.indexOf(this.anchor), order.indexOf(id)];
    for (const each of order.slice(Math.min(one, other), Math.max(one, other) + 1)) this.ids.add(each);
  }

  /** @param {string[]} order */
  addAll(order) {
    for (const id of order) this.ids.add(id);
  }

  clear() {
    this.ids.clear();
    this.anchor = null;
  }

  /**
   * Let go of what is no longer shown.
   * @param {string[][]} orders that are shown
   * @returns {boolean} whether anything went
   */
  keepOnly(orders) {
    if (!this.size) return false;
    const shown = new Set(orders.flat());
    const before = this.size;
    for (const id of this.ids) if (!shown.has(id)) this.ids.delete(id);
    return this.size < before;
  }

  /**
   * @param {string[]} order
   * @returns {[number, number][]} the places of the chosen in an order, as ranges (from, to)
   */
  rangesIn(order) {
    const ranges = [];
    order.forEach((id, at) => {
      if (!this.ids.has(id)) return;
      const last = ranges.at(-1);
      if (last?.[1] === at) last[1] = at + 1;
      else ranges.push([at, at + 1]);
    });
    return ranges;
  }
}
