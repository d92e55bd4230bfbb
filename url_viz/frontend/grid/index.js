// The grid of Explore: one or both ends of an order, scrolled without pages, to look at, to choose from and decide on.

import { Decider } from "../shared/decider.js";
import { DECISIONS, DECISION_OF_KEY } from "../shared/decisions.js";
import { keepFitting } from "../shared/fit.js";
import { isFocusNowhere, stepOf, watchDialogs } from "../shared/keyboard.js";
import { newMounts } from "../shared/mounts.js";
import { rove } from "../shared/roving.js";
import { Settings } from "../shared/settings.js";
import { Choice } from "./choice.js";
import { Pane } from "./pane.js";

const SIZE_KEY = "url-viz.tile-px"; // in the browser's own storage: a matter of its screen
const SIDE_KEY = "url-viz.side"; // of the order: what was chosen at an earlier visit, unless the address says another
const USUAL_PX = 140;
const PATIENCE_MS = 150; // a choice that goes on is sent once

class Grid {
  constructor(element) {
    this.element = element;
    this.decider = new Decider();
    this.choice = new Choice();
    this.settings = new Settings();
    this.panes = [];
    this.data = { panes: [] };
    this.stopper = new AbortController();
    const { signal } = this.stopper;
    this.part = (name) => element.querySelector(name);
    this.size = this.part(".size input");
    this.size.value = localStorage.getItem(SIZE_KEY) ?? USUAL_PX;
    this.size.addEventListener("input", () => this.resize(), { signal });
    this.part(".ends").addEventListener("click", (event) => this.turnTo(event.target.dataset.side), { signal });
    this.settleEnds = rove(this.part(".ends"), "button", signal);
    this.part(".wide").addEventListener("click", () => this.tell("is_wide", !this.data.is_wide), { signal });
    this.part("button.chosen").addEventListener("click", () => this.letGo(), { signal });
    const panes = this.part(".panes");
    panes.addEventListener("click", (event) => this.click(event), { signal });
    panes.addEventListener("keydown", (event) => this.key(event), { signal });
    panes.addEventListener("focusin", (event) => this.enter(event.target.closest(".cell")), { signal });
    document.addEventListener("focusin", (event) => this.left(event.target), { signal });
    keepFitting(element, { least: 380, share: 0.8, signal });
    watchDialogs(() => this.regain(), signal);
  }

  destroy() {
    clearTimeout(this.patience);
    this.stopper.abort();
  }

  get sizePx() {
    return Number(this.size.value);
  }

  // In little room tiles are smaller rather than one under the other, unless somebody has set their size.
  get leastColumns() {
    return this.panes.length > 1 || localStorage.getItem(SIZE_KEY) === null ? 2 : 1;
  }

  get canDecide() {
    return this.data.can_decide ?? true;
  }

  get ringed() {
    return this.data.ringed;
  }

  decisionOf(id) {
    return this.decided?.get(id);
  }

  update({ data, setTriggerValue, setStateValue }) {
    Object.assign(this, { data, setTriggerValue, setStateValue });
    if (this.kept === undefined || data.chosen_at !== this.chosenAt) this.choice.clear(), (this.kept = data.kept);
    this.chosenAt = data.chosen_at; // in a notebook, Python chooses, too
    this.confirm(data);
    while (this.panes.length > data.panes.length) this.panes.pop().stop();
    while (this.panes.length < data.panes.length) {
      this.panes.push(new Pane(this, this.stopper.signal));
      this.part(".panes").append(this.panes.at(-1).element);
    }
    this.takeKeptSide();
    for (const button of this.part(".ends").children)
      button.setAttribute("aria-pressed", String(button.dataset.side === data.side));
    this.settleEnds();
    const wide = this.part(".wide");
    wide.setAttribute("aria-pressed", String(data.is_wide));
    this.panes.forEach((pane, i) => pane.update(data.panes[i]));
    this.regain();
    this.followRing();
    this.showChoice();
    this.showFirst(data.shown_first);
  }

  // Something further down had the grid show other pictures: the page scrolls to them.
  showFirst(times) {
    if (times > this.times) this.element.getRootNode().host?.closest('[data-testid="stMain"]')?.scrollTo({ top: 0 });
    this.times = times;
  }

  // Decisions that the server has stored are those of the tiles until they are fetched again, by the address of another
  // version; where that is the same nothing was stored, and the tiles stand as they are.
  confirm({ taken, panes }) {
    const decided = this.decider.taken(taken);
    this.panes.forEach(({ source }, i) => source.tilesUrl !== panes[i]?.tiles_url && source.decide(decided));
    this.decided = this.decider.decided;
  }

  turnTo(side) {
    if (!side) return;
    if (this.data.keeps_side) localStorage.setItem(SIDE_KEY, side);
    this.tell("side", side);
  }

  // Once, where nobody has chosen a side since the page was opened.
  takeKeptSide() {
    const kept = localStorage.getItem(SIDE_KEY);
    const isFirst = !this.isSideTaken;
    this.isSideTaken = true;
    if (!isFirst || !this.data.keeps_side || !kept || kept === this.data.side) return;
    if (!new URLSearchParams(location.search).has("side")) this.tell("side", kept);
  }

  tell(name, value) {
    this.setStateValue(name, this.settings.tell(name, value));
  }

  resize() {
    localStorage.setItem(SIZE_KEY, this.size.value);
    for (const pane of this.panes) pane.arrange();
  }

  // A pane's order has changed: what is no longer shown is no longer chosen.
  pruned() {
    if (!this.panes.every(({ source }) => source.isComplete)) return;
    this.restore();
    const isLess = this.choice.keepOnly(this.panes.map(({ ids }) => ids));
    if (isLess || (this.choice.size && this.sent !== this.orders())) this.sendChoice(); // places mean another order
  }

  // Choose again what was chosen when the page was left.
  restore() {
    if (!this.kept) return;
    this.kept.forEach((ranges, i) => {
      for (const [from, to] of ranges) this.choice.addAll(this.panes[i].ids.slice(from, to));
      if (ranges.length) this.choice.anchor ??= this.panes[i].ids[ranges[0][0]];
    });
    this.kept = null;
    for (const pane of this.panes) pane.draw();
    this.showChoice();
  }

  orders() {
    return this.panes.map(({ source }) => source.order).join(" ");
  }

  paneOf(cell) {
    return this.panes.find(({ element }) => element.contains(cell));
  }

  enter(cell) {
    if (cell) this.lastPane = this.paneOf(cell);
    if (cell) this.lastPane.entered(cell);
  }

  // Whether the focus went elsewhere on the page, other than into a dialog, which gives it back.
  left(target) {
    const host = this.element.getRootNode().host ?? this.element;
    if (target !== host && !host.contains(target) && !target.closest?.('[role="dialog"]')) this.lastPane = null;
  }

  // A dialog that closes, or a button that is gone, leaves the focus nowhere: it comes back to the tile that had it.
  regain() {
    if (isFocusNowhere() && this.panes.includes(this.lastPane)) this.lastPane.refocus();
  }

  // The picture that was seen last in a dialog has the focus once that is closed.
  followRing() {
    const isMoved = this.ringed !== this.ringedBefore;
    this.ringedBefore = this.ringed;
    if (!isMoved || !this.panes.includes(this.lastPane) || document.querySelector('[role="dialog"]')) return;
    this.lastPane.focusOn(this.lastPane.ids.indexOf(this.ringed));
  }

  click(event) {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    const pane = this.paneOf(cell);
    const { id } = cell.dataset;
    const decision = event.target.closest(".choice")?.dataset.decision;
    if (decision) this.decide(pane, cell, decision);
    else if (event.shiftKey) this.choose(() => this.choice.reach(pane.ids, id, pane.entry));
    else if (event.ctrlKey || event.metaKey || event.target.closest(".pick")) this.choose(() => this.choice.toggle(id));
    else if (event.target.closest(".tile, .more")) return this.setTriggerValue("clicked", id);
    return cell.querySelector(".tile").focus({ preventScroll: true });
  }

  key(event) {
    const cell = event.target.closest(".cell");
    const pane = cell && this.paneOf(cell);
    if (!pane || event.altKey || !this.press(event, pane, cell)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  // Whether a key on a tile means anything; it is then done.
  press(event, pane, cell) {
    const { key } = event;
    const [at, { id }] = [Number(cell.dataset.at), cell.dataset];
    if ((event.ctrlKey || event.metaKey) && !stepOf(event)) {
      if (key.toLowerCase() !== "a") return false;
      this.choose(() => this.choice.addAll(pane.ids));
      return true;
    }
    const to = pane.stepOf(key, at);
    if (to !== null) {
      if (event.shiftKey) this.choose(() => this.choice.reach(pane.ids, pane.ids[to], id));
      pane.focusOn(to);
      return true;
    }
    if (key === " ") this.choose(() => this.choice.toggle(id));
    else if (key === "Escape" && this.choice.size) this.letGo();
    else return this.decideBy(event, pane, cell);
    return true;
  }

  // A key that is held down decides once only.
  decideBy(event, pane, cell) {
    const key = event.key.toLowerCase();
    if (!this.canDecide) return false;
    const step = stepOf(event);
    if (step) {
      if (!event.repeat) this.command(step);
    } else if (key in DECISION_OF_KEY && !event.shiftKey) {
      if (!event.repeat && this.decide(pane, cell, DECISION_OF_KEY[key]) && !this.choice.size)
        pane.focusOn(Number(cell.dataset.at) + 1);
    } else return false;
    return true;
  }

  // Decide on what is chosen, else on this picture; the same decision again clears it. Whether it is now decided on.
  decide(pane, cell, name) {
    const { id } = cell.dataset;
    const decision = cell.dataset.decision === name ? null : name;
    const many = this.choice.size > 0;
    const ids = many ? [...this.choice.ids] : [id];
    const what = many ? { chosen: this.chosen() } : { id };
    const said = many ? `${this.choice.size.toLocaleString("en")} pictures` : this.nameOf(pane, id);
    this.said(decision ? `${DECISIONS[name].word}: ${said}` : `No decision: ${said}`);
    this.send(this.decider.decide(ids, decision, what, id));
    return decision !== null;
  }

  nameOf({ source }, id) {
    return source.tiles.get(id)?.name ?? "";
  }

  said(text) {
    this.part(".said").textContent = text;
  }

  command(command) {
    const { actions, id } = this.decider.command(command);
    this.send(actions);
    const pane = this.panes.find(({ ids }) => ids.includes(id));
    pane?.focusOn(pane.ids.indexOf(id));
    this.said(command === "undo" ? "Undone" : "Redone");
  }

  // The mark shows at once; the server's answer replaces it later.
  send(actions) {
    if (this.patience !== undefined) this.tellNow(); // or a second run would overtake that of the action
    this.setStateValue("actions", actions);
    this.decided = this.decider.decided;
    for (const pane of this.panes) pane.draw();
  }

  choose(change) {
    change();
    for (const pane of this.panes) pane.draw();
    this.sendChoice();
  }

  letGo() {
    this.choose(() => this.choice.clear());
  }

  chosen() {
    return this.panes.map(({ ids, source }) => ({ order: source.order, ranges: this.choice.rangesIn(ids) }));
  }

  showChoice() {
    const button = this.part("button.chosen");
    button.hidden = !this.choice.size;
    button.textContent = `${this.choice.size.toLocaleString("en")} selected ✕`;
    button.title = "Clear the selection (Escape)";
    this.element.classList.toggle("choosing", this.choice.size > 0);
  }

  sendChoice() {
    this.showChoice();
    clearTimeout(this.patience);
    this.patience = setTimeout(() => this.tellNow(), PATIENCE_MS);
  }

  tellNow() {
    clearTimeout(this.patience);
    this.patience = undefined;
    this.sent = this.orders();
    this.setStateValue("chosen", this.choice.size ? this.chosen() : null);
  }
}

const mounts = newMounts(
  ".grid-view",
  (element) => new Grid(element),
  (grid) => grid.destroy(),
);

// Streamlit calls this at every change of data or theme.
export default function show(component) {
  const { drawn, leave } = mounts(component);
  drawn.update(component);
  return leave;
}
