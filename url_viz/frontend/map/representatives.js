// Representative pictures of regions, as small buttons beside their point on the map.

import { cssOf } from "./colours.js";
import { NARROW } from "./view.js";

/**
 * @import { Theme } from "./colours.js"
 * @import { List } from "./points.js"
 * @import { View } from "./view.js"
 */

const THUMB = 46; // CSS pixels, as in map.css
const THUMB_NARROW = 36; // on a narrow stage
const THUMB_GAP = 5;
const ROOM = 125; // CSS pixels: side of the stage's area per representative
const FADE_FROM = 4; // zoom from which they fade out
const FADE_TO = 8;
const DISTANCES = [36, 54, 76, 104, 140]; // from the point to the centre of its picture
const TURNS = [0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6].map((i) => (i * Math.PI) / 6);
const REST_MS = 150; // how long the zoom rests before a new layout
const BIN = 8; // CSS pixels, to count the points under a picture

export class Representatives {
  /**
   * @param {HTMLElement} layer
   * @param {object} options
   * @param {(id: string) => void} options.onOpen a picture was clicked
   * @param {() => void} options.onChange a redraw is needed
   * @param {AbortSignal} options.signal
   */
  constructor(layer, { onOpen, onChange, signal }) {
    Object.assign(this, { layer, onChange });
    this.items = [];
    /** @type {number[][]} left, top, right and bottom of the pictures that are shown */
    this.boxes = [];
    this.isOn = false;
    this.settled = null;
    layer.addEventListener(
      "click",
      (event) => {
        const button = event.target.closest("button");
        if (button) onOpen(button.dataset.id);
      },
      { signal },
    );
  }

  /** @param {string} url of the representatives to show, fetched when first shown; none hides them */
  async show(url) {
    this.isOn = Boolean(url);
    if (!url || this.url === url) return;
    try {
      await this.load(url);
    } catch (error) {
      if (error.name !== "AbortError") this.url = null; // the next change tries again
    }
    this.onChange();
  }

  async load(url) {
    this.loading?.abort();
    this.loading = new AbortController();
    const { signal } = this.loading;
    this.url = url;
    const response = await fetch(url, { signal });
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    const items = await response.json();
    if (signal.aborted) return;
    this.items = items.map((item) => ({ ...item, offset: null, isReady: false }));
    for (const item of this.items) item.button = this.buttonOf(item);
    this.layer.replaceChildren(...this.items.map((item) => item.button));
    this.settled = null;
  }

  // The button of a region; it shows once its picture is loaded, or known to be missing.
  buttonOf(item) {
    const { id, name, thumbnail, size, label, share } = item;
    const button = Object.assign(document.createElement("button"), { type: "button" });
    const image = Object.assign(document.createElement("img"), { alt: "", decoding: "async" });
    const ready = () => ((item.isReady = true), this.onChange());
    const pictures = `${size.toLocaleString("en")} ${size === 1 ? "picture" : "pictures"}`;
    const classes = label ? `, ${Math.round(100 * share)}% ${label}` : "";
    button.title = `Stands for ${pictures}${classes}: ${name}`;
    button.setAttribute("aria-label", button.title);
    button.dataset.id = id;
    image.addEventListener("load", ready);
    image.addEventListener("error", () => (button.classList.add("broken"), ready()));
    image.src = thumbnail;
    button.hidden = true;
    button.append(image);
    return button;
  }

  /**
   * Draw every picture beside its point. Its offset stays the same while the map is panned; after a change of zoom or of
   * the stage's size has come to rest, the layout is computed again.
   * @param {View} view
   * @param {CanvasRenderingContext2D} context
   * @param {Theme} theme
   * @param {List} list the points, of which the pictures should hide few
   */
  draw(view, context, theme, list) {
    const opacity = Math.min(1, Math.max(0, (FADE_TO - view.zoom) / (FADE_TO - FADE_FROM)));
    this.layer.hidden = !this.isOn || !this.items.length || opacity === 0;
    this.boxes = [];
    if (this.layer.hidden) return;
    this.layer.style.opacity = opacity;
    this.layer.classList.toggle("faded", opacity < 0.5);
    this.settle(view, list);
    const side = sideOf(view);
    for (const { button, offset, x, y, isReady } of this.items) {
      const [left, top] = view.toStage(x, y);
      const isIn = isReady && offset && left > 0 && top > 0 && left < view.width && top < view.height;
      button.hidden = !isIn;
      if (!isIn) continue;
      const [middleX, middleY] = [left + offset[0], top + offset[1]];
      button.style.transform = `translate(${middleX - side / 2}px, ${middleY - side / 2}px)`;
      this.boxes.push([middleX - side / 2, middleY - side / 2, middleX + side / 2, middleY + side / 2]);
      this.leader(context, theme, { from: [middleX, middleY], to: [left, top], opacity });
    }
  }

  settle(view, list) {
    const key = [view.scale, view.width, view.height].join(" ");
    if (key === this.settled) return;
    clearTimeout(this.rest);
    if (this.settled === null || this.pending === key) {
      this.settled = key;
      this.findRoom(view, list);
    } else {
      this.pending = key;
      this.rest = setTimeout(this.onChange, REST_MS);
    }
  }

  leader(context, theme, { from, to, opacity }) {
    context.globalAlpha = opacity;
    for (const [style, width] of [
      [theme.background, 3.5],
      [theme.ink, 1.2],
    ]) {
      context.beginPath();
      context.moveTo(...from);
      context.lineTo(...to);
      context.lineWidth = width;
      context.strokeStyle = cssOf(style);
      context.stroke();
    }
    context.beginPath();
    context.arc(...to, 2.5, 0, 2 * Math.PI);
    context.fillStyle = cssOf(theme.ink);
    context.fill();
    context.globalAlpha = 1;
  }

  // Greedy layout, largest regions first: of the positions that cover no other picture, no region's point and not the
  // stage's edge, the one that hides the fewest points, near ones preferred.
  findRoom(view, list) {
    const side = sideOf(view);
    const places = this.items.map(({ x, y }) => view.toStage(x, y));
    const hidden = hiddenBy(side, view, list);
    const most = Math.floor((view.width * view.height) / ROOM ** 2);
    const taken = [];
    for (const [i, item] of this.items.entries()) {
      item.offset = null;
      if (taken.length >= most) continue;
      const [left, top] = places[i];
      const outward = Math.atan2(top - view.height / 2, left - view.width / 2);
      let least = Infinity;
      for (const [near, distance] of DISTANCES.entries()) {
        for (const turn of TURNS) {
          const offset = [distance * Math.cos(outward + turn), distance * Math.sin(outward + turn)];
          const [x, y] = [left + offset[0], top + offset[1]];
          if (!isFree(x, y, { side, view, taken, places })) continue;
          const cost = hidden(x, y) + 2.5 * near;
          if (cost < least) ([least, item.offset] = [cost, offset]);
        }
      }
      if (item.offset) taken.push([left + item.offset[0], top + item.offset[1]]);
    }
  }
}

const sideOf = (view) => (view.width < NARROW ? THUMB_NARROW : THUMB);
const isUnderTools = (x, y, side, view) => x + side / 2 > view.width - 52 && y - side / 2 < 300;

function isFree(x, y, { side, view, taken, places }) {
  const inset = side / 2 + 4;
  if (x < inset || y < inset || x > view.width - inset || y > view.height - inset) return false;
  if (isUnderTools(x, y, side, view)) return false;
  const apart = side + THUMB_GAP;
  const covers = ([a, b], reach) => Math.abs(a - x) < reach && Math.abs(b - y) < reach;
  return !taken.some((place) => covers(place, apart)) && !places.some((place) => covers(place, side / 2 + 3));
}

// Points hidden by a picture at (x, y), in tenths of the average number; from an integral image of counts.
function hiddenBy(side, view, list) {
  const columns = Math.ceil(view.width / BIN) + 1;
  const rows = Math.ceil(view.height / BIN) + 1;
  const sums = new Float64Array(columns * rows);
  let count = 0;
  for (let at = 0; at < list.n; at++) {
    if (list.strength[at] <= 0) continue;
    const [left, top] = view.toStage(list.x[at], list.y[at]);
    if (left < 0 || top < 0 || left >= view.width || top >= view.height) continue;
    sums[(Math.floor(top / BIN) + 1) * columns + Math.floor(left / BIN) + 1]++;
    count++;
  }
  for (let row = 1; row < rows; row++)
    for (let column = 1; column < columns; column++)
      sums[row * columns + column] +=
        sums[(row - 1) * columns + column] +
        sums[row * columns + column - 1] -
        sums[(row - 1) * columns + column - 1];
  const average = Math.max(1, (count * side * side) / (view.width * view.height));
  const at = (x, y) =>
    sums[
      Math.min(rows - 1, Math.max(0, Math.round(y / BIN))) * columns +
        Math.min(columns - 1, Math.max(0, Math.round(x / BIN)))
    ];
  const half = side / 2;
  return (x, y) =>
    (10 / average) *
    (at(x + half, y + half) - at(x - half, y + half) - at(x + half, y - half) + at(x - half, y - half));
}
