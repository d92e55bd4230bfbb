// The map and the grid of Explore in a report: what a kernel answers in a notebook, this answers of the data in the file.

import { draw } from "./widget.js";
import WIRE from "../shared/wire.json" with { type: "json" };

const MAP_SETTINGS = ["polygon", "threshold", "style", "names"];

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
const jsonBytes = (value) => new TextEncoder().encode(JSON.stringify(value));

/** Whether a place lies in a polygon, by the parity of the edges to its right. */
export function isWithin([x, y], polygon) {
  let within = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [[ax, ay], [bx, by]] = [polygon[i], polygon[j]];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within;
  }
  return within;
}

/**
 * A filter's mask of points, as `encode_mask` of Python makes it.
 * @param {string[]} ids of the points, in the map's order
 * @param {(id: string) => boolean} isShown
 * @returns {ArrayBuffer}
 */
export function maskOf(ids, isShown) {
  const bytes = new Uint8Array(WIRE.mask.header_bytes + Math.ceil(ids.length / 8));
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode(WIRE.mask.magic));
  view.setUint32(4, ids.length, true);
  view.setBigInt64(8, ids.reduce((all, id) => all ^ BigInt(id), 0n), true);
  ids.forEach((id, i) => isShown(id) && (bytes[WIRE.mask.header_bytes + (i >> 3)] |= 1 << (i & 7)));
  return bytes.buffer;
}

/** What a kernel is to the widget: a model of anywidget whose Python is the data of the file. */
class Answers {
  constructor(data) {
    this.data = data;
    this.listeners = new Set();
    this.view = { polygon: null, threshold: null, style: "points", names: true, side: "both", is_wide: false };
    this.filter = { label: "", reason: "", words: "" };
    Object.assign(this, { taken: {}, ringed: null, orders: new Map(), masks: new Map() });
    this.at = new Map(data.tiles.map(({ id }, i) => [id, i]));
  }

  on(_, listener) {
    this.listeners.add(listener);
  }

  off(_, listener) {
    this.listeners.delete(listener);
  }

  tell(content, buffers = []) {
    for (const listener of this.listeners) listener(content, buffers);
  }

  send(content) {
    queueMicrotask(() => this.answer(content));
  }

  answer({ kind, number, url, name, value }) {
    if (kind === "fetch") return this.tell({ kind: "answer", number, status: 200 }, [this.bytes(url)]);
    if (kind === "state") this.set(name, value);
    return this.push();
  }

  bytes(url) {
    const [what, key] = url.split("/");
    if (what === "points") return bytesOf(this.data.points);
    if (what === "mask") return this.masks.get(key);
    if (what === "card") return jsonBytes(this.card(this.at.get(key)));
    const [order, from, to] = key.split(",");
    const rows = this.orders.get(order);
    if (what === "order") return BigInt64Array.from(rows, (i) => BigInt(this.data.tiles[i].id)).buffer;
    return jsonBytes(rows.slice(Number(from), Number(to)).map((i) => this.data.tiles[i]));
  }

  card(i) {
    const { tiles, cards, measures } = this.data;
    const known = measures.map(({ title, values, percentiles }) => ({ title, value: values[i], percentile: percentiles[i] }));
    return { ...tiles[i], ...cards[i], whole: null, measures: known.filter(({ value }) => value !== null) };
  }

  set(name, value) {
    if (name === "clicked") this.ringed = value;
    else if (name === "picked") this.filter.label = value.length ? this.data.map.categories[value[0]] : "";
    else if (name in this.view) {
      this.view[name] = value.value;
      this.taken[name] = value.sequence;
    }
  }

  /** Whether the filters keep a picture. @param {number} i its place */
  passes(i) {
    const { label, reason, words } = this.filter;
    const tile = this.data.tiles[i];
    if (label && tile.label !== label) return false;
    if (reason && !this.data.cards[i].reasons.includes(reason)) return false;
    return !words || `${tile.name} ${tile.question ?? ""} ${tile.label ?? ""}`.toLowerCase().includes(words.toLowerCase());
  }

  push() {
    const { tiles, cards, map, ids } = this.data;
    const { polygon } = this.view;
    const passing = tiles.map((_, i) => this.passes(i));
    const isNarrow = passing.includes(false);
    const maskUrl = isNarrow ? `mask/${JSON.stringify(this.filter)}` : "";
    if (isNarrow) this.masks.set(maskUrl.slice(5), maskOf(ids, (id) => passing[this.at.get(id)]));
    const inside = (i) => !polygon || (cards[i].place && isWithin(cards[i].place, polygon));
    const rows = tiles.map((_, i) => i).filter((i) => passing[i] && inside(i));
    const shown = { mask_url: maskUrl, polygon, ringed: this.ringed, taken: this.taken, chosen: this.picked() };
    for (const name of MAP_SETTINGS) shown[name] = this.view[name];
    this.onShown?.(rows.length);
    this.tell({ kind: "data", data: { map: { ...map, ...shown }, grid: this.grid(rows) }, said: "" });
  }

  picked() {
    const number = this.data.map.categories.indexOf(this.filter.label);
    return number < 0 ? [] : [number];
  }

  // Both ends of the order, as Explore parts it: by the threshold if there is one.
  grid(rows) {
    const { threshold, side } = this.view;
    const isHigh = (i) => this.data.cards[i].rank >= threshold;
    const ends = { ambiguous: rows, clear: rows.toReversed() };
    if (threshold !== null) for (const name in ends) ends[name] = ends[name].filter((i) => isHigh(i) === (name === "ambiguous"));
    const sides = side === "both" ? ["ambiguous", "clear"] : [side];
    return {
      panes: sides.map((name) => this.pane(name, ends[name])),
      side,
      is_wide: this.view.is_wide,
      ringed: this.ringed,
      can_decide: false,
      taken: 0,
      kept: null,
    };
  }

  pane(name, rows) {
    const order = `${name} ${this.key(rows)}`;
    this.orders.set(order, rows);
    return {
      title: name === "clear" ? "Least ambiguous" : "Most ambiguous",
      note: rows.length.toLocaleString("en"),
      empty: "No pictures here.",
      total: rows.length,
      order,
      order_url: `order/${order}`,
      tiles_url: `tiles/${order},{from},{to}`,
      thumbnail_url: null,
      first: [],
      has_questions: this.data.has_questions,
      has_labels: this.data.has_labels,
    };
  }

  key(rows) {
    return `${rows.length}.${rows.reduce((all, i) => (Math.imul(all, 31) + i) | 0, 7)}`;
  }
}

/** @param {any} parts map and grid, as of `draw` */
export function startReport(parts) {
  const data = JSON.parse(document.getElementById("live-data").textContent);
  const place = document.getElementById("live");
  const answers = new Answers(data);
  const fields = { label: "#live-class", reason: "#live-reason", words: "#live-words" };
  const controls = Object.entries(fields).map(([name, at]) => [name, place.querySelector(at)]).filter(([, field]) => field);
  const count = place.querySelector(".filters output");
  answers.onShown = (shown) => {
    count.textContent = `${shown.toLocaleString("en")} of ${data.tiles.length.toLocaleString("en")}`;
    for (const [name, field] of controls) if (field.value !== answers.filter[name]) field.value = answers.filter[name];
  };
  for (const [name, field] of controls)
    field.addEventListener("input", () => {
      answers.filter[name] = field.value;
      answers.push();
    });
  place.hidden = false;
  for (const still of document.querySelectorAll(".still")) still.hidden = true;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => answers.push());
  draw({ model: answers, el: place.querySelector(".parts") }, parts);
}
