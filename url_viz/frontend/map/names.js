// Names on the map: of categories at their thickest place, or of regions; as many as have room at this zoom.

import { cssOf } from "./colours.js";
import { NO_CATEGORY, NO_POINTS } from "./decode.js";
import { shortened } from "../shared/short.js";

/**
 * @import { Points } from "./decode.js"
 * @import { Theme } from "./colours.js"
 * @import { View } from "./view.js"
 *
 * @typedef {object} Anchor
 * @property {string} text
 * @property {number} count of pictures: the larger come first
 * @property {number} x in map units
 * @property {number} y in map units
 * @property {number | null} category its number, or null
 *
 * @typedef {[number, number, number, number]} Box left, top, right, bottom
 */

const CELLS = 48; // along the longer side of the map
const REACH = 4; // so many cells about a place count as near it
const ROW = CELLS + 1 + REACH; // none reaches into another row
const FONT = "600 12px";
export const HALO = 0.7; // opacity of the line of the page's colour around letters
const HEIGHT = 16;
const APART = 3; // pixels between names
const MOST_CHARACTERS = 28;
const TOOLS = [50, 330]; // width and height of the toolbar in the upper right corner
const AWAY = [0, 6, 14, 24, 36, 50]; // pixels between a place and its name
const DIRECTIONS = [[1, 0], [-1, 0], [0, 1], [0, -1], [0.5, 1], [-0.5, 1], [0.5, -1], [-0.5, -1]];
const COVERED_PX = 7; // a name goes so far to cover one point less
const MOST_COVERED = 10; // in a crowd it stays at its place
const LINED_PX = 16; // from so far away a line leads to the place
const CELL = 4; // pixels

/**
 * The place of each category: the middle of its pictures where most of them lie near each other.
 * @param {Pick<Points, "n" | "x" | "y" | "category" | "box">} points
 * @param {Int8Array} strength of each: only those that are not dimmed count
 * @param {string[]} names of the categories
 * @returns {Anchor[]} the largest categories first
 */
export function anchorsOf({ n, x, y, category, box }, strength, names) {
  const [xMin, xMax, yMin, yMax] = box;
  const cell = Math.max(xMax - xMin, yMax - yMin) / CELLS || 1;
  /** @type {Map<number, Map<number, {n: number, x: number, y: number}>>} the sums of each cell of each category */
  const sums = new Map();
  for (let i = 0; i < n; i++) {
    if (category[i] === NO_CATEGORY || category[i] >= names.length || strength[i] <= 0) continue;
    const cells = sums.get(category[i]) ?? sums.set(category[i], new Map()).get(category[i]);
    const at = Math.floor((y[i] - yMin) / cell) * ROW + Math.floor((x[i] - xMin) / cell);
    const sum = cells.get(at) ?? cells.set(at, { n: 0, x: 0, y: 0 }).get(at);
    Object.assign(sum, { n: sum.n + 1, x: sum.x + x[i], y: sum.y + y[i] });
  }
  return [...sums]
    .map(([number, cells]) => {
      const count = [...cells.values()].reduce((all, sum) => all + sum.n, 0);
      const thickest = [...cells.keys()].map((at) => about(cells, at)).reduce((best, one) => (one.n > best.n ? one : best));
      return { text: names[number], count, x: thickest.x / thickest.n, y: thickest.y / thickest.n, category: number };
    })
    .sort((a, b) => b.count - a.count);
}

// The sums of the cells about one: near ones count more, since in a small class hardly two pictures share a cell.
function about(cells, at) {
  const all = { n: 0, x: 0, y: 0 };
  for (let down = -REACH; down <= REACH; down++)
    for (let right = -REACH; right <= REACH; right++) {
      const sum = cells.get(at + down * ROW + right);
      const weight = 1 / (1 + right * right + down * down);
      if (sum) Object.assign(all, { n: all.n + weight * sum.n, x: all.x + weight * sum.x, y: all.y + weight * sum.y });
    }
  return all;
}

/**
 * The names that have room: the first ones first, none over another or under the tools. Each stands where it covers
 * few points, near its place.
 * @param {Anchor[]} anchors in the order of their importance
 * @param {View} view
 * @param {(text: string) => number} widthOf in pixels
 * @param {object} [options]
 * @param {(box: Box) => number} [options.crowdOf] how many points a box covers
 * @param {Box[]} [options.covered] where pictures lie, which no name may be under
 * @returns {{anchor: Anchor, text: string, box: Box}[]}
 */
export function placed(anchors, view, widthOf, { crowdOf = () => 0, covered = [] } = {}) {
  /** @type {Box[]} */
  const taken = [[view.width - TOOLS[0], 0, view.width, TOOLS[1]], ...covered];
  const isFree = (box) =>
    box[0] >= 0 && box[1] >= 0 && box[2] <= view.width && box[3] <= view.height && !taken.some((other) => overlap(box, other));
  const found = [];
  for (const anchor of anchors) {
    const text = shortened(anchor.text, MOST_CHARACTERS);
    const place = view.toStage(anchor.x, anchor.y);
    const isSeen = place[0] >= 0 && place[1] >= 0 && place[0] <= view.width && place[1] <= view.height;
    const box = isSeen && bestOf(place, widthOf(text) / 2, { isFree, crowdOf });
    if (!box) continue;
    taken.push(box);
    found.push({ anchor, text, box });
  }
  return found;
}

// The free box about a place that covers the fewest points at the least distance, or null.
function bestOf([left, top], half, { isFree, crowdOf }) {
  let [best, least] = [null, Infinity];
  for (const away of AWAY)
    for (const [right, down] of away ? DIRECTIONS : [[0, 0]]) {
      const [x, y] = [left + right * (half + away), top + down * (HEIGHT / 2 + away)];
      /** @type {Box} */
      const box = [x - half, y - HEIGHT / 2, x + half, y + HEIGHT / 2];
      const cost = away + (away >= least || !isFree(box) ? Infinity : COVERED_PX * Math.min(MOST_COVERED, crowdOf(box)));
      if (cost < least) [best, least] = [box, cost];
    }
  return best;
}

/**
 * Count the points under boxes, fast for many boxes.
 * @param {Points} points
 * @param {Int8Array} strength of each: only those that are not dimmed count
 * @param {View} view
 * @param {number} radius of the points, in pixels
 * @returns {(box: Box) => number}
 */
export function crowdIn({ n, x, y }, strength, view, radius) {
  const [columns, rows] = [Math.ceil(view.width / CELL) + 2, Math.ceil(view.height / CELL) + 2];
  const [left, top] = view.toStage(0, 0).map((place) => place - Math.floor(place / CELL) * CELL - CELL); // moves with the map
  const sums = new Uint32Array((columns + 1) * (rows + 1));
  const { scale } = view;
  const [across, down] = view.toStage(0, 0); // worked out once: arrays for each of many points take their time
  for (let i = 0; i < n; i++) {
    if (strength[i] <= 0) continue;
    const column = Math.floor((across + x[i] * scale - left) / CELL);
    const row = Math.floor((down - y[i] * scale - top) / CELL);
    if (column >= 0 && row >= 0 && column < columns && row < rows) sums[(row + 1) * (columns + 1) + column + 1]++;
  }
  for (let row = 1; row <= rows; row++)
    for (let column = 1; column <= columns; column++) {
      const at = row * (columns + 1) + column;
      sums[at] += sums[at - 1] + sums[at - columns - 1] - sums[at - columns - 2];
    }
  const within = (cell, most) => Math.min(most, Math.max(0, cell));
  return (box) => {
    const [from, to] = [0, 2].map((at) => within(Math.round((box[at] - left + (at - 1) * radius) / CELL), columns));
    const [above, below] = [1, 3].map((at) => within(Math.round((box[at] - top + (at - 2) * radius) / CELL), rows));
    const sum = (row, column) => sums[row * (columns + 1) + column];
    return sum(below, to) - sum(above, to) - sum(below, from) + sum(above, from);
  };
}

const overlap = (a, b) => a[0] < b[2] + APART && b[0] < a[2] + APART && a[1] < b[3] + APART && b[1] < a[3] + APART;

export class Names {
  /** @param {() => void} onChange a redraw is needed */
  constructor(onChange) {
    this.onChange = onChange;
    /** @type {Anchor[]} */
    this.anchors = [];
    this.widths = new Map();
    this.shown = [];
    this.among(NO_POINTS, new Int8Array());
  }

  /**
   * Name categories.
   * @param {Points} points @param {Int8Array} strength @param {string[]} names
   */
  ofCategories(points, strength, names) {
    this.stop();
    this.among(points, strength);
    this.anchors = anchorsOf(points, strength, names);
  }

  /**
   * Name regions by what they look like.
   * @param {string} url of the representatives; none: no names
   * @param {Points} points @param {Int8Array} strength
   */
  async ofRegions(url, points, strength) {
    this.among(points, strength);
    if (url === this.url) return;
    this.stop();
    this.anchors = [];
    this.url = url;
    if (!url) return;
    this.loading = new AbortController();
    const { signal } = this.loading;
    try {
      const answer = await fetch(url, { signal });
      const regions = answer.ok ? await answer.json() : [];
      if (signal.aborted) return;
      this.anchors = regions
        .filter(({ looks_like: text }) => text)
        .map(({ looks_like: text, size: count, x, y }) => ({ text: `like: ${text}`, count, x, y, category: null }));
      this.onChange();
    } catch (error) {
      if (!signal.aborted) this.url = null; // the next change tries again
    }
  }

  // The points that names stand beside.
  among(points, strength) {
    Object.assign(this, { points, strength, placedAt: null });
  }

  stop() {
    this.loading?.abort();
    this.url = null;
  }

  // Where the names stand; worked out again only after a change, not whenever the pointer moves.
  place(context, view, { radius, covered }) {
    const at = [view.x, view.y, view.scale, view.width, view.height, radius, ...covered.flat().map(Math.round)].join(" ");
    if (at === this.placedAt && this.anchors === this.placedOf) return;
    const crowdOf = crowdIn(this.points, this.strength, view, radius);
    this.shown = placed(this.anchors, view, (text) => this.widthOf(context, text), { crowdOf, covered });
    Object.assign(this, { placedAt: at, placedOf: this.anchors });
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {View} view
   * @param {Theme} theme
   * @param {object} options
   * @param {string} options.family the page's font
   * @param {number} options.radius of the points, in pixels
   * @param {Box[]} options.covered where pictures lie
   */
  draw(context, view, theme, { family, radius, covered }) {
    context.font = `${FONT} ${family}`;
    this.place(context, view, { radius, covered });
    this.lines(context, view, theme);
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = 4;
    context.strokeStyle = cssOf(theme.background);
    context.fillStyle = cssOf(theme.ink);
    for (const { text, box } of this.shown) {
      const [x, y] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
      context.globalAlpha = HALO;
      context.strokeText(text, x, y);
      context.globalAlpha = 1;
      context.fillText(text, x, y);
    }
  }

  // From names that stand away from their places.
  lines(context, view, theme) {
    context.lineWidth = 1;
    context.strokeStyle = cssOf(theme.ink);
    context.globalAlpha = 0.45;
    context.beginPath();
    for (const { anchor, box } of this.shown) {
      const [left, top] = view.toStage(anchor.x, anchor.y);
      const [x, y] = [Math.min(box[2], Math.max(box[0], left)), Math.min(box[3], Math.max(box[1], top))];
      if (Math.hypot(x - left, y - top) < LINED_PX) continue;
      context.moveTo(left, top);
      context.lineTo(x, y);
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  widthOf(context, text) {
    if (!this.widths.has(text)) this.widths.set(text, context.measureText(text).width);
    return this.widths.get(text);
  }

  /** The category whose name lies at a place, or null. @param {[number, number]} place left and top, in pixels */
  at([left, top]) {
    const found = this.shown.find(({ box }) => left >= box[0] && left <= box[2] && top >= box[1] && top <= box[3]);
    return found?.anchor.category ?? null;
  }
}
