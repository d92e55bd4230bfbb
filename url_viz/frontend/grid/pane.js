// One order of pictures in a scrolling grid, of which only the tiles near what is seen exist.

import { fill, newCell } from "../gallery/cell.js";
import { newIcon } from "../shared/decisions.js";
import { detailOf, hasChoices, hasName, layoutOf, placeOf, questionLines, seenOf, stepOf } from "./layout.js";
import { Source } from "./source.js";

/** @import { Tile } from "../gallery/cell.js" */

const EXTRA_ROWS = 2;
const PATIENCE_MS = 60; // rows that are scrolled past sooner are not asked for
const FIRST = 48; // tiles whose questions say how many lines all have
const PICK = "M3.5 8.5 6.5 11.5 12.5 4.5";

/**
 * What a pane asks of its grid.
 * @typedef {object} Owner
 * @property {number} sizePx
 * @property {number} leastColumns
 * @property {boolean} canDecide
 * @property {string | null} ringed
 * @property {{has: (id: string) => boolean, size: number}} choice
 * @property {(id: string) => string | null | undefined} decisionOf a decision that the server has not confirmed
 */

export class Pane {
  /** @param {Owner} owner @param {AbortSignal} signal */
  constructor(owner, signal) {
    this.owner = owner;
    this.element = Object.assign(document.createElement("section"), { className: "pane" });
    this.title = this.element.appendChild(Object.assign(document.createElement("h2"), { className: "title" }));
    this.scroller = this.element.appendChild(Object.assign(document.createElement("div"), { className: "scroller" }));
    this.grid = this.scroller.appendChild(Object.assign(document.createElement("div"), { className: "tiles" }));
    this.grid.setAttribute("role", "group");
    this.empty = this.element.appendChild(Object.assign(document.createElement("p"), { className: "empty" }));
    /** @type {Map<string, HTMLElement>} */
    this.cells = new Map();
    this.source = new Source(() => this.changed());
    this.entry = ""; // the picture that Tab leads to
    this.awaited = null; // the place that gets the focus once its picture is known
    this.scroller.addEventListener("scroll", () => this.draw(), { signal, passive: true });
    // Image events do not bubble, but can be captured.
    for (const [name, isBroken] of [["error", true], ["load", false]])
      this.grid.addEventListener(name, (event) => event.target.parentElement.classList.toggle("broken", isBroken), {
        signal,
        capture: true,
      });
    this.observer = new ResizeObserver(() => this.arrange());
    this.observer.observe(this.scroller);
    signal.addEventListener("abort", () => this.stop());
  }

  stop() {
    this.observer.disconnect();
    this.source.stop();
    clearTimeout(this.patience);
    this.element.remove();
  }

  get ids() {
    return this.source.ids;
  }

  update(data) {
    const isNew = this.source.order !== undefined && this.source.order !== data.order;
    this.data = data;
    this.source.update(data);
    if (isNew && !data.is_kept) this.scroller.scrollTop = 0;
    this.changed();
  }

  changed() {
    const { title, note, hint = "", empty } = this.data;
    Object.assign(this.title, { textContent: title, title: hint });
    if (note) this.title.append(Object.assign(document.createElement("span"), { textContent: ` · ${note}` }));
    this.grid.setAttribute("aria-label", title);
    this.empty.textContent = this.source.failure || empty;
    this.empty.hidden = this.ids.length > 0 && !this.source.failure;
    this.scroller.hidden = !this.ids.length;
    this.owner.pruned(this);
    this.arrange();
    if (this.ids[this.awaited] !== undefined && this.focused()) this.focusOn(this.awaited);
  }

  // Compute the layout: after a change of width, size, number or kind of tiles.
  arrange() {
    const width = this.grid.clientWidth;
    if (!width) return;
    const { has_labels: hasLabels, total } = this.data;
    const { sizePx, leastColumns } = this.owner;
    const longestQuestion = this.longestQuestion();
    const count = this.source.isComplete ? this.ids.length : Math.max(total, this.ids.length);
    const before = this.layout;
    const top = before ? Math.floor(this.scroller.scrollTop / before.rowPx) * before.columns : 0;
    this.layout = layoutOf({ width, sizePx, count, longestQuestion, hasLabels, leastColumns });
    this.grid.style.height = `${this.layout.heightPx}px`;
    const { tilePx } = this.layout;
    this.grid.dataset.detail = detailOf(tilePx);
    this.grid.classList.toggle("small", !hasChoices(tilePx));
    this.grid.style.setProperty("--question-lines", questionLines(tilePx, longestQuestion));
    this.grid.classList.toggle("unlabelled", !hasLabels);
    this.grid.classList.toggle("nameless", !hasName(tilePx, hasLabels));
    if (before && (before.columns !== this.layout.columns || before.rowPx !== this.layout.rowPx))
      this.scroller.scrollTop = placeOf(this.layout, top).y; // the first picture that was seen stays
    this.draw();
  }

  longestQuestion() {
    if (!this.data.has_questions) return 0;
    const lengths = [...this.source.tiles.values()].map((tile) => (tile.asked?.join(" or ") ?? tile.question ?? "").length);
    return Math.max(1, ...lengths.slice(0, FIRST));
  }

  /** The places of the tiles that can be seen, from and to. @param {number} [extra] rows */
  seen(extra = 0) {
    return seenOf(this.layout, { top: this.scroller.scrollTop, height: this.scroller.clientHeight }, extra);
  }

  // Put the tiles near what is seen into the grid; the one with the focus stays, or the focus would be lost.
  draw() {
    if (!this.layout) return;
    const [from, to] = this.seen(EXTRA_ROWS);
    const wanted = this.ids.slice(from, to);
    const focused = this.focused()?.dataset.id;
    const kept = new Set(wanted);
    for (const [id, cell] of this.cells)
      if (!kept.has(id) && (id !== focused || !this.ids.includes(id))) {
        cell.remove();
        this.cells.delete(id);
      }
    wanted.forEach((id, i) => this.place(this.cells.get(id) ?? this.newCell(id), from + i));
    if (focused && !kept.has(focused) && this.cells.has(focused))
      this.place(this.cells.get(focused), this.ids.indexOf(focused));
    this.oneStop(wanted);
    clearTimeout(this.patience);
    this.patience = setTimeout(() => this.source.need(from, to), PATIENCE_MS);
  }

  newCell(id) {
    const cell = newCell(id);
    const pick = Object.assign(document.createElement("button"), { type: "button", className: "pick", tabIndex: -1 });
    pick.setAttribute("role", "checkbox");
    pick.setAttribute("aria-label", "Select");
    pick.title = "Select (Space, Ctrl+click, Shift+click for a range)";
    pick.append(newIcon(PICK));
    const more = Object.assign(document.createElement("button"), { type: "button", className: "more", tabIndex: -1 });
    more.setAttribute("aria-label", "Open");
    Object.assign(more, { title: "Open", textContent: "…" });
    cell.append(pick, more);
    this.cells.set(id, cell);
    this.grid.append(cell);
    return cell;
  }

  place(cell, at) {
    const { x, y } = placeOf(this.layout, at);
    cell.style.transform = `translate(${x}px, ${y}px)`;
    cell.style.width = `${this.layout.tilePx}px`;
    cell.dataset.at = at;
    const { id } = cell.dataset;
    const { owner, source, data } = this;
    const known = source.tiles.get(id);
    const waiting = owner.decisionOf(id);
    const tile = known ?? { id, thumbnail: "", name: "", value: "", label: null, twins: "", mark: null, decision: null, question: null, detail: "", asked: null, short_label: null };
    const thumbnail = data.thumbnail_url?.replace("{id}", id) ?? tile.thumbnail; // without a server it comes with the tile
    const decision = waiting === undefined ? tile.decision : waiting;
    const isNews = source.tiles.get(this.ids[at - 1])?.value !== tile.value;
    cell.classList.toggle("again", !isNews); // the tile before says the same
    fill(cell, { ...tile, thumbnail, decision, is_ringed: id === owner.ringed }, owner.canDecide);
    if (!hasChoices(this.layout.tilePx)) cell.querySelector(".choices").hidden = true;
    const isChosen = owner.choice.has(id);
    cell.classList.toggle("chosen", isChosen);
    cell.querySelector(".pick").setAttribute("aria-checked", String(isChosen));
  }

  // The grid is one Tab stop: the tile that had the focus, else the first that is seen.
  oneStop(wanted) {
    const stop = this.cells.has(this.entry) && wanted.includes(this.entry) ? this.entry : wanted[0];
    for (const [id, cell] of this.cells) cell.querySelector(".tile").tabIndex = id === stop ? 0 : -1;
  }

  focused() {
    const active = this.grid.getRootNode().activeElement;
    return active && this.grid.contains(active) ? active.closest(".cell") : null;
  }

  entered(cell) {
    this.awaited = null;
    this.entry = cell.dataset.id;
    for (const other of this.cells.values()) other.querySelector(".tile").tabIndex = other === cell ? 0 : -1;
  }

  /** Scroll to a tile, and give it the focus. @param {number} at its place */
  focusOn(at) {
    if (at < 0 || at >= this.layout.count) return;
    const { y } = placeOf(this.layout, at);
    const { scroller, layout } = this;
    if (y < scroller.scrollTop) scroller.scrollTop = y;
    else if (y + layout.rowPx > scroller.scrollTop + scroller.clientHeight)
      scroller.scrollTop = y + layout.rowPx - scroller.clientHeight;
    this.draw();
    this.awaited = this.ids[at] === undefined ? at : null;
    this.cells.get(this.ids[at])?.querySelector(".tile").focus({ preventScroll: true });
  }

  /** Give the focus back to the tile that had it last, if it is there. */
  refocus() {
    this.cells.get(this.entry)?.querySelector(".tile").focus({ preventScroll: true });
  }

  /** The place that a key leads to from a tile; null for other keys. @param {string} key @param {number} at */
  stepOf(key, at) {
    const rows = Math.floor(this.scroller.clientHeight / this.layout.rowPx);
    return stepOf(key, at, this.layout, rows);
  }
}
