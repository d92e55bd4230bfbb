// The map component: one map on the page, and the function that Streamlit calls.

import { Card } from "./card.js";
import { Categories, toggled } from "./categories.js";
import { themeOf } from "./colours.js";
import { NO_POINTS, decodePoints } from "./decode.js";
import { Gestures } from "./gestures.js";
import { Legend } from "./legend.js";
import { Mask } from "./mask.js";
import { eased, prefersStillness } from "./motion.js";
import { Names } from "./names.js";
import { gridOf, insideRows, nearestRow } from "./nearest.js";
import { Overlay } from "./overlay.js";
import { colourOf, drawPoints, drawingOrder, listOf, sizeOf, strengthsOf } from "./points.js";
import { Raster, sizeAndOpacity } from "./raster.js";
import { Representatives } from "./representatives.js";
import { Shade } from "./shade.js";
import { keepFitting } from "../shared/fit.js";
import { newMounts } from "../shared/mounts.js";
import { Settings } from "../shared/settings.js";
import { View, haveMoved, placesOf } from "./view.js";
import { hintOf, statusOf } from "./words.js";

const PICK_REACH = 14; // CSS pixels
const GLIDE_MS = 600;
const VIEW_GLIDE_MS = 180;
const PATIENCE_MS = 300; // delay before the loading message
const FEW_CORNERS = 400; // of a lasso

const views = new Map(); // key of a map → the user's view, kept while the map is off the page

const same = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

export class PointMap {
  constructor(element, key) {
    this.element = element;
    this.key = key;
    this.stage = element.querySelector(".stage");
    this.stopper = new AbortController();
    const { signal } = this.stopper;
    this.view = Object.assign(new View(), views.get(key));
    this.points = NO_POINTS;
    this.grid = gridOf(NO_POINTS);
    Object.assign(this, {
      list: listOf(0),
      polygon: null,
      drawnOn: null, // the points that the polygon was drawn on; null for one that the page set, which is on those to come
      threshold: null,
      style: null,
      representatives: null,
      names: true,
      hovered: -1,
      data: {},
      settings: new Settings(),
    });
    this.raster = new Raster(element.querySelector(".raster"));
    this.shade = new Shade();
    this.mask = new Mask(() => this.recolour());
    this.overlay = new Overlay(element.querySelector(".overlay"));
    this.faces = new Representatives(element.querySelector(".faces"), {
      onOpen: (id) => this.setTriggerValue("clicked", id),
      onChange: () => this.redraw(),
      signal,
    });
    this.card = new Card(element.querySelector(".card"));
    this.legend = new Legend(element.querySelector(".foot"), {
      onThreshold: (percentile, isFinal) => this.moveThreshold(percentile, isFinal),
      signal,
    });
    this.categories = new Categories(element, { onPick: (chosen) => this.setTriggerValue("picked", chosen), signal });
    this.labels = new Names(() => this.redraw());
    this.gestures = new Gestures(this.stage, this, signal);
    this.stage.querySelector(".retry").addEventListener("click", () => this.load(this.data.points_url), { signal });
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.stage);
  }

  destroy() {
    this.stopper.abort();
    this.observer.disconnect();
    this.loading?.abort();
    this.mask.loading?.abort();
    this.faces.loading?.abort();
    this.labels.stop();
    this.card.hide();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.patience);
  }

  // Handle the data from Python, which is sent at every run of the page, mostly unchanged.
  update({ data, setStateValue, setTriggerValue }) {
    Object.assign(this, { setStateValue, setTriggerValue });
    if (data.fits && !this.data.fits) this.keepFitting();
    const before = this.data;
    this.data = data;
    this.theme = themeOf(this.element);
    this.family = getComputedStyle(this.element).fontFamily;
    if (before.card_url !== data.card_url) this.card.forget();
    for (const name of ["polygon", "threshold", "style", "representatives", "names"])
      this.adopt(name, data);
    this.resize();
    if (before.mask_url !== data.mask_url) this.mask.load(data.mask_url, () => this.points);
    this.showFaces();
    this.recolour();
    if (before.points_url !== data.points_url) this.load(data.points_url);
  }

  keepFitting() {
    keepFitting(this.element, { least: 380, share: 0.7, side: "maxHeight", signal: this.stopper.signal });
  }

  tell(name) {
    this.setStateValue(name, this.settings.tell(name, this[name]));
  }

  adopt(name, { [name]: value, taken }) {
    if (same(value, this[name]) || !this.settings.isTaken(name, taken)) return;
    this[name] = value ?? null;
    if (name === "polygon") this.drawnOn = null;
  }

  async load(url) {
    this.loading?.abort();
    this.loading = new AbortController();
    const { signal } = this.loading;
    this.stage.dataset.state = "loading";
    clearTimeout(this.patience);
    this.patience = setTimeout(() => this.say(this.points.n ? "" : "Loading the map …"), PATIENCE_MS);
    try {
      const response = await fetch(url, { signal });
      if (!response.ok) throw new Error(`the server answered ${response.status}`);
      const points = decodePoints(await response.arrayBuffer());
      if (!signal.aborted) this.take(points);
    } catch (error) {
      if (!signal.aborted) this.failed(error);
    }
  }

  showFaces() {
    const url = this.data.representatives_url;
    this.faces.show(this.representatives ? url : "");
    this.gestures.showChoices({ style: this.style, hasFaces: Boolean(url), areFacesOn: this.faces.isOn, areNamesOn: this.names });
    this.redraw();
  }

  failed(error) {
    clearTimeout(this.patience);
    this.stage.dataset.state = "failed";
    this.say(`The map's points cannot be read: ${error.message}.`, { canRetry: true });
  }

  say(text, { canRetry = false } = {}) {
    const message = this.stage.querySelector(".message");
    message.hidden = !text;
    message.classList.toggle("over", this.points.n > 0);
    message.querySelector(".what").textContent = text;
    message.querySelector(".retry").hidden = !canRetry;
  }

  take(points) {
    clearTimeout(this.patience);
    const shown = prefersStillness() ? new Map() : placesOf(this.points, this.view);
    Object.assign(this, { points, grid: gridOf(points), rowOf: null, hovered: -1 });
    this.mask.apply(points);
    this.card.hide();
    this.view.adopt(points);
    this.stage.dataset.state = "ready";
    this.say(points.n ? "" : "No pictures to show yet.");
    this.recolour();
    this.glidePoints(shown);
    this.dropStaleLasso();
  }

  // A lasso that was drawn while a map made anew was on its way holds other pictures there.
  dropStaleLasso() {
    if (!this.polygon || !this.drawnOn) return;
    if (haveMoved(this.drawnOn, this.points)) this.select(null);
    else this.drawnOn = this.points;
  }

  // Known points glide from their old position to the new one; new points appear at once.
  glidePoints(shown) {
    const { points, view } = this;
    this.from = null;
    if (shown.size) {
      const [x, y] = [points.x.slice(), points.y.slice()];
      for (let i = 0; i < points.n; i++) {
        const place = shown.get(points.ids[i]);
        if (place) [x[i], y[i]] = view.toMap(...place);
      }
      this.from = { x, y, start: performance.now() };
    }
    this.drawNow(performance.now()); // at once: what the stage says of itself is true of these points
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    const density = Math.min(2, window.devicePixelRatio || 1);
    if (!width || !height || (width === this.view.width && height === this.view.height && density === this.density))
      return;
    this.density = density;
    this.view.resize(width, height);
    this.raster.resize(Math.round(width * density), Math.round(height * density));
    this.overlay.resize(Math.round(width * density), Math.round(height * density), density);
    if (this.theme) this.drawNow(performance.now()); // at once: a resized canvas is blank until it is drawn
  }

  // Compute order, colours and opacities of the points; to be called when any of them may have changed.
  recolour() {
    const { points, data, theme, threshold } = this;
    const strength = strengthsOf({ points, data, threshold, kept: this.mask.kept, inside: this.inside() });
    const isFog = this.style === "fog";
    const sizes = isFog ? points.value : points.size;
    const smallOnTop = isFog || Boolean(data.size_title);
    const order = drawingOrder(points, strength, { smallOnTop, sizes });
    this.list = listOf(points.n);
    for (let at = 0; at < points.n; at++) {
      const i = order[at];
      this.list.strength[at] = strength[i];
      this.list.colour[at] = strength[i] < 0 ? theme.dimmed : colourOf(points, i, data, theme);
      this.list.value[at] = points.value[i];
      this.list.size[at] = sizeOf(sizes[i], strength[i]);
      this.list.x[at] = points.x[i];
      this.list.y[at] = points.y[i];
    }
    Object.assign(this, { strength, order });
    this.shade.scale = 0; // weights may have changed: compute the strongest shade again
    this.showNames();
    this.categories.show(data, points, theme);
    this.legend.show({ ...data, threshold, status: this.status(), hint: hintOf(this.style, data) }, theme);
    this.stage.setAttribute("aria-label", `Map of ${this.status()}`);
    this.redraw();
  }

  // 1 for each point in the lasso; null without one. Found once for a lasso on these points.
  inside() {
    const { polygon, points, insideOf } = this;
    if (insideOf?.polygon !== polygon || insideOf.points !== points)
      this.insideOf = { polygon, points, rows: polygon && insideRows(points, polygon) };
    return this.insideOf.rows;
  }

  status() {
    return statusOf(this.data, this.mask, { drawn: this.points.n, isReady: this.stage.dataset.state === "ready" });
  }

  redraw() {
    this.frame ??= requestAnimationFrame((now) => this.drawNow(now));
  }

  drawNow(now) {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    this.advanceView(now);
    this.advancePoints(now);
    const density = this.density ?? 1;
    this.radius = sizeAndOpacity(this.points.n, this.view).radius;
    if (this.style === "density")
      this.raster.shaded(this.shade, this.list, this.view, {
        theme: this.theme,
        density,
        isByCategory: this.data.colour === "category",
      });
    else drawPoints(this.raster, this.list, this.view, {
        style: this.style,
        data: this.data,
        theme: this.theme,
        density,
      });
    this.redrawOverlay();
    const { view } = this;
    this.stage.dataset.view = [view.x, view.y, view.scale, view.zoom].join(" ");
    this.stage.dataset.drawn = this.points.n;
    this.stage.dataset.style = this.style ?? "points";
    this.stage.dataset.kept = this.mask.kept ? this.mask.count : "";
    this.stage.dataset.gliding = Boolean(this.from || this.towards);
  }

  advancePoints(now) {
    if (!this.from) return;
    const { from, order, points, list } = this;
    const share = eased((now - from.start) / GLIDE_MS);
    for (let at = 0; at < list.n; at++) {
      const i = order[at];
      list.x[at] = from.x[i] + (points.x[i] - from.x[i]) * share;
      list.y[at] = from.y[i] + (points.y[i] - from.y[i]) * share;
    }
    if (share < 1) this.redraw();
    else this.from = null;
  }

  redrawOverlay() {
    const { view, theme, polygon, radius } = this;
    if (!theme) return;
    const placeOf = (row) => (row >= 0 ? [this.points.x[row], this.points.y[row]] : null);
    const ringed = placeOf(this.rowOfId(this.data.ringed));
    const hovered = this.hovered === this.rowOfId(this.data.ringed) ? null : placeOf(this.hovered);
    this.overlay.draw(view, theme, { lasso: this.gestures.lasso, polygon, ringed, hovered, radius });
    this.faces.draw(view, this.overlay.context, theme, this.list);
    const { boxes: covered } = this.faces;
    if (this.names) this.labels.draw(this.overlay.context, view, theme, { family: this.family, radius, covered });
  }

  rowOfId(id) {
    if (id === null || id === undefined) return -1;
    if (this.rowOf?.id !== id) this.rowOf = { id, row: this.points.ids.indexOf(BigInt(id)) };
    return this.rowOf.row;
  }

  // Changes of the view are immediate during a drag, animated after a button or key.
  moveTo(place) {
    this.towards = null;
    Object.assign(this.view, place, { moved: true });
    this.remember();
    this.redraw();
  }

  glideTo(place, moved = true) {
    const { x, y, zoom } = this.view;
    this.card.hide();
    this.hovered = -1;
    this.view.moved = moved;
    this.towards = {
      from: { x, y, zoom },
      to: place,
      start: performance.now() - (prefersStillness() ? VIEW_GLIDE_MS : 0),
    };
    this.redraw();
  }

  // Relative to the target of the current animation, so that keys pressed in quick succession add up.
  glideBy(step) {
    this.glideTo(step(Object.assign(new View(), this.view, this.towards?.to)));
  }

  reset() {
    this.glideTo(this.view.whole(), false);
  }

  advanceView(now) {
    if (!this.towards) return;
    const { from, to, start } = this.towards;
    const share = eased((now - start) / VIEW_GLIDE_MS);
    for (const name of ["x", "y", "zoom"]) this.view[name] = from[name] + (to[name] - from[name]) * share;
    if (share < 1) return this.redraw();
    this.towards = null;
    return this.remember();
  }

  remember() {
    const { x, y, zoom, moved, box, few } = this.view;
    views.set(this.key, { x, y, zoom, moved, box, few });
  }

  // The category whose name is at a place and would be picked there, or null.
  namedAt(place) {
    return place && this.names && this.data.can_pick ? this.labels.at(place) : null;
  }

  hoverAt(place) {
    const isName = this.namedAt(place) !== null;
    const row = place && !isName ? this.rowAt(place) : -1;
    if (row >= 0)
      this.card.over(
        String(this.points.ids[row]),
        this.data.card_url,
        this.view.toStage(this.points.x[row], this.points.y[row]),
      );
    else this.card.leave();
    this.stage.classList.toggle("picking", isName || row >= 0);
    if (row === this.hovered) return;
    this.hovered = row;
    this.redrawOverlay();
  }

  rowAt([left, top]) {
    const [x, y] = this.view.toMap(left, top);
    const reach = Math.max(PICK_REACH, this.radius ?? 0) / this.view.scale;
    return nearestRow(this.points, this.grid, { x, y, reach, isShown: (i) => this.strength[i] > 0 });
  }

  clickAt(place) {
    const named = this.namedAt(place);
    if (named !== null) return this.setTriggerValue("picked", toggled(this.data.chosen, named, false));
    const row = this.rowAt(place);
    if (row >= 0) this.setTriggerValue("clicked", String(this.points.ids[row]));
    return undefined;
  }

  lassoed(places) {
    const every = Math.ceil(places.length / FEW_CORNERS);
    const corners = places
      .filter((_, i) => i % every === 0)
      .map(([left, top]) => this.view.toMap(left, top).map((v) => Number(v.toPrecision(7))));
    if (corners.length >= 3) this.select(corners);
    else this.redrawOverlay();
  }

  select(polygon) {
    Object.assign(this, { polygon, drawnOn: polygon && this.points });
    this.recolour();
    this.tell("polygon");
  }

  clear() {
    this.card.hide();
    if (this.polygon) this.select(null);
  }

  choose(style) {
    this.style = style;
    this.showFaces();
    this.recolour();
    this.tell("style");
  }

  toggleFaces() {
    if (!this.data.representatives_url) return;
    this.representatives = !this.representatives;
    this.showFaces();
    this.tell("representatives");
  }

  // Categories are named where there are some, else regions.
  showNames() {
    const { points, strength, data } = this;
    if (!this.names) return;
    if (data.categories.length) this.labels.ofCategories(points, strength, data.categories);
    else this.labels.ofRegions(data.representatives_url, points, strength);
  }

  toggleNames() {
    this.names = !this.names;
    this.showNames();
    this.showFaces();
    this.tell("names");
  }

  moveThreshold(percentile, isFinal) {
    this.threshold = percentile || null;
    this.recolour();
    if (isFinal) this.tell("threshold");
  }
}

const mounts = newMounts(
  ".map",
  (element, component) => new PointMap(element, component.data.key),
  (map) => map.destroy(),
);

// Streamlit calls this at every change of data or theme.
export default function show(component) {
  const { drawn, leave } = mounts(component);
  drawn.update(component);
  return leave;
}
