// Names on the map: of categories at their thickest place, or of regions; as many as have room at this zoom.

import { cssOf } from "./colours.js";
import { NO_CATEGORY } from "./decode.js";

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
const FONT = "600 12px";
const HEIGHT = 16;
const APART = 3; // pixels between names
const MOST_CHARACTERS = 28;
const TOOLS = [50, 330]; // width and height of the toolbar in the upper right corner

/**
 * The place of each category: the middle of its pictures in the cell that holds most of them, and the cells about it.
 * @param {Pick<Points, "n" | "x" | "y" | "category" | "box">} points
 * @param {Int8Array} strength of each: only those that are not dimmed count
 * @param {string[]} names of the categories
 * @returns {Anchor[]} the largest categories first
 */
export function anchorsOf({ n, x, y, category, box }, strength, names) {
  const [xMin, xMax, yMin, yMax] = box;
  const cell = Math.max(xMax - xMin, yMax - yMin) / CELLS || 1;
  const columnOf = (i) => Math.floor((x[i] - xMin) / cell);
  const rowOf = (i) => Math.floor((y[i] - yMin) / cell);
  const isNamed = (i) => category[i] !== NO_CATEGORY && category[i] < names.length && strength[i] > 0;
  /** @type {Map<number, Map<number, number>>} pictures in each cell of each category */
  const counts = new Map();
  for (let i = 0; i < n; i++) {
    if (!isNamed(i)) continue;
    const cells = counts.get(category[i]) ?? counts.set(category[i], new Map()).get(category[i]);
    const at = rowOf(i) * (CELLS + 1) + columnOf(i);
    cells.set(at, (cells.get(at) ?? 0) + 1);
  }
  const sums = new Map();
  for (const [number, cells] of counts) {
    const [thickest] = [...cells].reduce((best, one) => (one[1] > best[1] ? one : best));
    const count = [...cells.values()].reduce((sum, one) => sum + one, 0);
    sums.set(number, { thickest, count, n: 0, x: 0, y: 0 });
  }
  for (let i = 0; i < n; i++) {
    if (!isNamed(i)) continue;
    const sum = sums.get(category[i]);
    const [row, column] = [Math.floor(sum.thickest / (CELLS + 1)), sum.thickest % (CELLS + 1)];
    if (Math.abs(rowOf(i) - row) > 1 || Math.abs(columnOf(i) - column) > 1) continue;
    Object.assign(sum, { n: sum.n + 1, x: sum.x + x[i], y: sum.y + y[i] });
  }
  return [...sums]
    .map(([number, sum]) => ({ text: names[number], count: sum.count, x: sum.x / sum.n, y: sum.y / sum.n, category: number }))
    .sort((a, b) => b.count - a.count);
}

/**
 * The names that have room: the first ones first, none over another or under the tools.
 * @param {Anchor[]} anchors in the order of their importance
 * @param {View} view
 * @param {(text: string) => number} widthOf in pixels
 * @returns {{anchor: Anchor, text: string, box: Box}[]}
 */
export function placed(anchors, view, widthOf) {
  /** @type {Box[]} */
  const taken = [[view.width - TOOLS[0], 0, view.width, TOOLS[1]]];
  const found = [];
  for (const anchor of anchors) {
    const text = anchor.text.length > MOST_CHARACTERS ? `${anchor.text.slice(0, MOST_CHARACTERS - 1)}…` : anchor.text;
    const [left, top] = view.toStage(anchor.x, anchor.y);
    const half = widthOf(text) / 2;
    /** @type {Box} */
    const box = [left - half, top - HEIGHT / 2, left + half, top + HEIGHT / 2];
    if (box[0] < 0 || box[1] < 0 || box[2] > view.width || box[3] > view.height) continue;
    if (taken.some((other) => overlap(box, other))) continue;
    taken.push(box);
    found.push({ anchor, text, box });
  }
  return found;
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
  }

  /**
   * Name categories.
   * @param {Points} points @param {Int8Array} strength @param {string[]} names
   */
  ofCategories(points, strength, names) {
    this.stop();
    this.anchors = anchorsOf(points, strength, names);
  }

  /** Name regions by what they look like. @param {string} url of the representatives; none: no names */
  async ofRegions(url) {
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

  stop() {
    this.loading?.abort();
    this.url = null;
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {View} view
   * @param {Theme} theme
   * @param {string} family of the page's font
   */
  draw(context, view, theme, family) {
    context.font = `${FONT} ${family}`;
    this.shown = placed(this.anchors, view, (text) => this.widthOf(context, text));
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = 4;
    context.strokeStyle = cssOf(theme.background);
    context.fillStyle = cssOf(theme.ink);
    for (const { text, box } of this.shown) {
      const [x, y] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
      context.globalAlpha = 0.7;
      context.strokeText(text, x, y);
      context.globalAlpha = 1;
      context.fillText(text, x, y);
    }
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
