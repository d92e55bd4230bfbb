// The view: pan, zoom and map-to-stage coordinates. One scale for both axes, y upwards.

import wire from "../shared/wire.json" with { type: "json" };

/**
 * @import { Points } from "./decode.js"
 *
 * What of the map is seen: the map coordinates of the stage's centre, and the zoom (1: everything fits).
 * @typedef {{x: number, y: number, zoom: number}} Framing
 */

export const MOST_ZOOM = 60; // beyond it the quantisation of coordinates would show
export const LEAST_ZOOM = 0.5;
export const NARROW = 520; // CSS pixels
const TOOLBAR = 46;
const BROAD = 1.25; // times the height: on a stage less broad the toolbar would cover points
const PROBED = 8; // so many points show whether the map was computed again: all of them move then

/** A framing, the stage's width and height in CSS pixels, the points' box, and whether the user has moved it. */
export class View {
  width = 1;
  height = 1;
  box = [0, 0, 0, 0];
  few = true;
  x = 0;
  y = 0;
  zoom = 1;
  moved = false;

  /** @returns {number} CSS pixels per map unit if everything just fits */
  get fit() {
    const [xMin, xMax, yMin, yMax] = this.box;
    const margin = this.few ? 0.2 * Math.min(this.width, this.height) : Math.min(32, 0.08 * this.width);
    const scale = Math.min((this.width - this.inset - 2 * margin) / (xMax - xMin), (this.height - 2 * margin) / (yMax - yMin));
    return Number.isFinite(scale) ? Math.max(scale, 1e-9) : 1;
  }

  /** @returns {number} what is left for the toolbar on the right, in CSS pixels */
  get inset() {
    return this.width < NARROW || this.width < BROAD * this.height ? TOOLBAR : 0;
  }

  /** @returns {number} CSS pixels per map unit */
  get scale() {
    return this.fit * this.zoom;
  }

  /** @param {number} x @param {number} y in map units @returns {[number, number]} left and top, in CSS pixels of the stage */
  toStage(x, y) {
    return [(x - this.x) * this.scale + this.width / 2, (this.y - y) * this.scale + this.height / 2];
  }

  /** @param {number} left @param {number} top in CSS pixels of the stage @returns {[number, number]} x and y, in map units */
  toMap(left, top) {
    return [(left - this.width / 2) / this.scale + this.x, this.y - (top - this.height / 2) / this.scale];
  }

  /** @param {number} width @param {number} height of the stage, in CSS pixels */
  resize(width, height) {
    Object.assign(this, { width, height });
    if (!this.moved) Object.assign(this, this.whole());
  }

  /** @returns {Framing} of everything */
  whole() {
    const [xMin, xMax, yMin, yMax] = this.box;
    return { x: (xMin + xMax) / 2 + this.inset / 2 / this.fit, y: (yMin + yMax) / 2, zoom: 1 };
  }

  /**
   * @param {number} factor
   * @param {number} [left] of the place that stays where it is, in CSS pixels of the stage; by default the middle
   * @param {number} [top]
   * @returns {Framing}
   */
  zoomed(factor, left = this.width / 2, top = this.height / 2) {
    const zoom = Math.min(MOST_ZOOM, Math.max(LEAST_ZOOM, this.zoom * factor));
    const [x, y] = this.toMap(left, top);
    const share = this.zoom / zoom;
    return { x: x + (this.x - x) * share, y: y + (this.y - y) * share, zoom };
  }

  /** @param {number} right @param {number} down how far the map moves, in CSS pixels @returns {Framing} */
  panned(right, down) {
    return { x: this.x - right / this.scale, y: this.y + down / this.scale, zoom: this.zoom };
  }

  /**
   * Adjust to new points. A view the user chose keeps its map coordinates if the map is much the same, and keeps its
   * framing (relative centre and zoom) if the map is another one, as from PCA to UMAP.
   * @param {Pick<Points, "n" | "box">} points
   * @returns {View} this one
   */
  adopt(points) {
    const [before, scaleBefore] = [this.box, this.fit];
    this.box = points.box;
    this.few = points.n < 25;
    if (!this.moved) return Object.assign(this, this.whole());
    const ratio = this.fit / scaleBefore;
    if (ratio > 0.67 && ratio < 1.5 && overlaps(before, points.box)) this.zoom /= ratio;
    else [this.x, this.y] = [0, 2].map((at) => carried(at ? this.y : this.x, before, points.box, at));
    return this;
  }
}

function overlaps(a, b) {
  return a[0] < b[1] && b[0] < a[1] && a[2] < b[3] && b[2] < a[3];
}

function carried(value, before, after, at) {
  const share = (value - before[at]) / (before[at + 1] - before[at] || 1);
  return after[at] + share * (after[at + 1] - after[at]);
}

/**
 * @param {Points} points
 * @param {View} view
 * @returns {Map<bigint, [number, number]>} left and top of every point by its id, in CSS pixels of the stage
 */
export function placesOf({ n, ids, x, y }, view) {
  const places = new Map();
  for (let i = 0; i < n; i++) places.set(ids[i], view.toStage(x[i], y[i]));
  return places;
}

/**
 * @param {Points} before
 * @param {Points} after
 * @returns {boolean} whether the map was made anew: points of both do not lie where they lay
 */
export function haveMoved(before, after) {
  const slack = 2 * Math.max(stepOf(before.box), stepOf(after.box));
  return [...before.ids.subarray(0, PROBED)].some((id, i) => {
    const row = after.ids.indexOf(id);
    return row >= 0 && Math.hypot(after.x[row] - before.x[i], after.y[row] - before.y[i]) > slack;
  });
}

// The step in which coordinates come, which changes a little with the box.
function stepOf([xMin, xMax, yMin, yMax]) {
  return Math.max(xMax - xMin, yMax - yMin) / wire.points.coordinate_steps;
}
