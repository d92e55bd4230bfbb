// Pointer and keyboard input: pan, zoom, pinch, lasso, click, keys.

import { rove } from "../shared/roving.js";
import wire from "../shared/wire.json" with { type: "json" };

/** @import { PointMap } from "./index.js" */

const CLICK_SLOP = 4; // pixels the pointer may move in a click
const LASSO_STEP = 3; // pixels between two corners of the lasso
const KEY_PAN = 60;
const KEY_ZOOM = 1.4;

export class Gestures {
  /**
   * @param {HTMLElement} stage
   * @param {Pick<PointMap, "view" | "moveTo" | "glideBy" | "reset" | "hoverAt" | "clickAt" | "lassoed" | "clear" | "choose"
   *   | "toggleFaces" | "toggleNames" | "redrawOverlay">} map
   * @param {AbortSignal} signal
   */
  constructor(stage, map, signal) {
    Object.assign(this, {
      stage,
      map,
      pointers: new Map(),
      isLassoMode: false,
      lasso: null,
      start: [0, 0],
      travelled: 0,
    });
    const on = (type, handler, options = {}) =>
      stage.addEventListener(type, handler.bind(this), { signal, ...options });
    on("pointerdown", this.down);
    on("pointermove", this.move);
    on("pointerup", this.up);
    on("pointercancel", this.cancelled);
    on("pointerleave", () => map.hoverAt(null));
    on("wheel", this.wheel, { passive: false });
    on("dblclick", this.doubled);
    on("keydown", this.key);
    const press = (name, act) => stage.querySelector(`.tools .${name}`).addEventListener("click", act, { signal });
    press("lasso", () => this.setLassoMode(!this.isLassoMode));
    press("closer", () => map.glideBy((view) => view.zoomed(KEY_ZOOM)));
    press("farther", () => map.glideBy((view) => view.zoomed(1 / KEY_ZOOM)));
    press("reset", () => map.reset());
    for (const style of wire.styles) press(style, () => map.choose(style));
    press("representatives", () => map.toggleFaces());
    press("names", () => map.toggleNames());
    this.settleTools = rove(stage.querySelector(".tools"), "button", signal);
  }

  /**
   * Set the pressed state of the toolbar's buttons.
   * @param {{style: string | null, hasFaces: boolean, areFacesOn: boolean, areNamesOn: boolean}} choices
   */
  showChoices({ style, hasFaces, areFacesOn, areNamesOn }) {
    const button = (name) => this.stage.querySelector(`.tools .${name}`);
    for (const name of wire.styles) button(name).setAttribute("aria-pressed", name === (style ?? "points"));
    button("representatives").hidden = !hasFaces;
    button("representatives").setAttribute("aria-pressed", areFacesOn);
    button("names").setAttribute("aria-pressed", areNamesOn);
    this.settleTools();
  }

  setLassoMode(isOn) {
    this.isLassoMode = isOn;
    this.stage.classList.toggle("lassoing", isOn);
    this.stage.querySelector(".tools .lasso").setAttribute("aria-pressed", isOn);
  }

  placeOf(event) {
    const { left, top } = this.stage.getBoundingClientRect();
    return [event.clientX - left - this.stage.clientLeft, event.clientY - top - this.stage.clientTop];
  }

  isOnStage(event) {
    return !event.target.closest(".tools, .retry, .faces button");
  }

  down(event) {
    if (event.button !== 0 || !this.isOnStage(event)) return;
    this.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.placeOf(event));
    this.start = this.placeOf(event);
    this.travelled = this.pointers.size > 1 ? Infinity : 0;
    this.lasso = this.pointers.size === 1 && (this.isLassoMode || event.shiftKey) ? [this.placeOf(event)] : null;
    this.map.hoverAt(null);
  }

  move(event) {
    const place = this.placeOf(event);
    const before = this.pointers.get(event.pointerId);
    if (!before) return this.map.hoverAt(this.isOnStage(event) && !this.isLassoMode ? place : null);
    this.travelled = Math.max(this.travelled, Math.hypot(place[0] - this.start[0], place[1] - this.start[1]));
    if (this.pointers.size === 2) this.pinch(event.pointerId, before, place);
    else if (this.lasso) this.extend(place);
    else if (this.travelled > CLICK_SLOP) this.pan(before, place);
    if (!this.lasso && this.travelled <= CLICK_SLOP) return undefined; // a pan starts where the pointer went down
    return this.pointers.set(event.pointerId, place);
  }

  pan(before, place) {
    this.stage.classList.add("panning");
    this.map.moveTo(this.map.view.panned(place[0] - before[0], place[1] - before[1]));
  }

  pinch(id, before, place) {
    const [, other] = [...this.pointers].find(([key]) => key !== id);
    const apart = (a) => Math.max(20, Math.hypot(a[0] - other[0], a[1] - other[1]));
    const middle = [(place[0] + other[0]) / 2, (place[1] + other[1]) / 2];
    this.map.moveTo(this.map.view.panned((place[0] - before[0]) / 2, (place[1] - before[1]) / 2));
    this.map.moveTo(this.map.view.zoomed(apart(place) / apart(before), ...middle));
  }

  extend(place) {
    const last = this.lasso[this.lasso.length - 1];
    if (Math.hypot(place[0] - last[0], place[1] - last[1]) >= LASSO_STEP) this.lasso.push(place);
    this.map.redrawOverlay();
  }

  up(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    this.stage.classList.remove("panning");
    const [lasso, isClick] = [this.lasso, this.travelled <= CLICK_SLOP];
    this.lasso = null;
    if (isClick) this.map.clickAt(this.placeOf(event));
    else if (lasso) this.map.lassoed(lasso);
  }

  cancelled(event) {
    this.pointers.delete(event.pointerId);
    this.stage.classList.remove("panning");
    this.lasso = null;
    this.map.redrawOverlay();
  }

  wheel(event) {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1);
    this.map.moveTo(this.map.view.zoomed(Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.0016)), ...this.placeOf(event)));
    this.map.hoverAt(null);
  }

  doubled(event) {
    if (this.isOnStage(event)) this.map.reset();
  }

  key(event) {
    const { map } = this;
    const acts = {
      ArrowLeft: () => map.glideBy((view) => view.panned(KEY_PAN, 0)),
      ArrowRight: () => map.glideBy((view) => view.panned(-KEY_PAN, 0)),
      ArrowUp: () => map.glideBy((view) => view.panned(0, KEY_PAN)),
      ArrowDown: () => map.glideBy((view) => view.panned(0, -KEY_PAN)),
      "+": () => map.glideBy((view) => view.zoomed(KEY_ZOOM)),
      "=": () => map.glideBy((view) => view.zoomed(KEY_ZOOM)),
      "-": () => map.glideBy((view) => view.zoomed(1 / KEY_ZOOM)),
      0: () => map.reset(),
      l: () => this.setLassoMode(!this.isLassoMode),
      ...Object.fromEntries(wire.styles.map((style, i) => [i + 1, () => map.choose(style)])), // keys 1, 2, 3
      r: () => map.toggleFaces(),
      n: () => map.toggleNames(),
      Escape: () => this.escape(),
    };
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in acts)) return;
    event.preventDefault();
    event.stopPropagation(); // the page has other shortcuts
    acts[event.key]();
  }

  // Cancel the lasso that is being drawn, else clear the selection.
  escape() {
    if (this.lasso) this.pointers.clear();
    else this.map.clear();
    this.lasso = null;
    this.setLassoMode(false);
    this.map.redrawOverlay();
  }
}
