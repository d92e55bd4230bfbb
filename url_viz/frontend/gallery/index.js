// The gallery component. Names and labels come from files, so they are set as text, never as HTML.

import { Decider } from "../shared/decider.js";
import { DECISIONS, DECISION_OF_KEY } from "../shared/decisions.js";
import { isFocusNowhere, stepOf, watchDialogs } from "../shared/keyboard.js";
import { newMounts } from "../shared/mounts.js";
import { fill, newCell } from "./cell.js";

class Gallery {
  constructor(element) {
    this.element = element;
    this.grid = element.querySelector(".grid");
    this.said = element.querySelector(".said");
    this.cells = new Map();
    this.tiles = [];
    this.decider = new Decider();
    this.stopper = new AbortController();
    const { signal } = this.stopper;
    this.grid.addEventListener("click", (event) => this.click(event), { signal });
    this.grid.addEventListener("keydown", (event) => this.key(event), { signal });
    this.grid.addEventListener("focusin", (event) => this.enterAt(event.target.closest(".cell")), { signal });
    document.addEventListener("focusin", (event) => this.left(event.target), { signal });
    watchDialogs(() => this.regain(), signal);
    // Image events do not bubble, but can be captured.
    this.grid.addEventListener("error", (event) => event.target.parentElement.classList.add("broken"), {
      signal,
      capture: true,
    });
    this.grid.addEventListener("load", (event) => event.target.parentElement.classList.remove("broken"), {
      signal,
      capture: true,
    });
  }

  // Existing cells are reused, so that their pictures neither load again nor flicker.
  update({ data, setTriggerValue, setStateValue }) {
    this.setTriggerValue = setTriggerValue;
    this.setStateValue = setStateValue;
    this.canDecide = data.can_decide;
    this.decider.taken(data.taken);
    this.tiles = data.tiles;
    const before = this.cells;
    this.cells = new Map(data.tiles.map((tile) => [tile.id, before.get(tile.id) ?? newCell(tile.id)]));
    this.fillAll();
    this.arrange([...this.cells.values()]);
    this.grid.classList.toggle("free", !data.columns);
    this.grid.classList.toggle(
      "unlabelled",
      data.tiles.every((tile) => tile.label === null),
    );
    this.grid.style.setProperty("--columns", data.columns ?? 1);
    this.grid.hidden = !this.cells.size;
    const empty = this.element.querySelector(".empty");
    empty.hidden = this.cells.size > 0;
    empty.textContent = data.empty;
    this.regain();
    this.followRing();
  }

  // Whether the focus went elsewhere on the page, other than into a dialog, which gives it back.
  left(target) {
    const host = this.element.getRootNode().host ?? this.element;
    if (target !== host && !host.contains(target) && !target.closest?.('[role="dialog"]')) this.isEntered = false;
  }

  // A dialog that closes leaves the focus nowhere: it comes back to the tile that had it.
  regain() {
    if (!this.isEntered || !isFocusNowhere()) return;
    focusOn([...this.cells.values()].find((cell) => cell.querySelector(".tile").tabIndex === 0));
  }

  // The picture that was seen last in a dialog has the focus once that is closed.
  followRing() {
    const ringed = this.tiles.find((tile) => tile.is_ringed)?.id;
    const isMoved = ringed !== this.ringedBefore;
    this.ringedBefore = ringed;
    if (isMoved && this.isEntered && !document.querySelector('[role="dialog"]')) focusOn(this.cells.get(ringed));
  }

  // The server's decision of each picture, overridden by unconfirmed actions.
  fillAll() {
    const { decided } = this.decider;
    for (const tile of this.tiles) {
      const decision = decided.has(tile.id) ? decided.get(tile.id) : tile.decision;
      fill(this.cells.get(tile.id), { ...tile, decision }, this.canDecide);
    }
  }

  // Moving an element removes its focus: it is restored, or moves to the tile now at the same index.
  arrange(wanted) {
    const present = [...this.grid.children];
    if (wanted.length !== present.length || wanted.some((cell, i) => cell !== present[i])) {
      const focused = present.findIndex((cell) => cell.contains(cell.getRootNode().activeElement));
      this.grid.replaceChildren(...wanted);
      if (focused >= 0) {
        const cell = wanted.includes(present[focused])
          ? present[focused]
          : wanted[Math.min(focused, wanted.length - 1)];
        cell?.querySelector(".tile").focus({ preventScroll: true });
      }
    }
    const stops = wanted.map((cell) => cell.querySelector(".tile"));
    if (stops.length && !stops.some((tile) => tile.tabIndex === 0)) stops[0].tabIndex = 0;
  }

  click(event) {
    const cell = event.target.closest(".cell");
    const choice = event.target.closest(".choice");
    if (choice) {
      this.decide(cell, choice.dataset.decision);
      cell.querySelector(".tile").focus({ preventScroll: true });
    } else if (cell && event.target.closest(".tile")) this.setTriggerValue("clicked", cell.dataset.id);
  }

  // The grid is one Tab stop; arrow keys move inside it.
  enterAt(cell) {
    this.isEntered = true;
    for (const other of this.cells.values()) other.querySelector(".tile").tabIndex = other === cell ? 0 : -1;
  }

  key(event) {
    if ((event.ctrlKey || event.metaKey || event.altKey) && !stepOf(event)) return;
    const cells = [...this.grid.children];
    const at = cells.indexOf(event.target.closest(".cell"));
    const columns = cells.filter((cell) => cell.offsetTop === cells[0].offsetTop).length;
    const steps = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns,
      ArrowDown: columns,
      Home: -at,
      End: cells.length - 1 - at,
    };
    if (event.key in steps) focusOn(cells[at + steps[event.key]]);
    else if (!this.canDecide || !this.decideBy(event, cells, at)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  // Handle a decision key; returns whether it was one. A key that is held down decides once only.
  decideBy(event, cells, at) {
    const key = event.key.toLowerCase();
    const step = stepOf(event);
    if (step) {
      if (!event.repeat) this.command(step);
    } else if (key in DECISION_OF_KEY && !event.shiftKey) {
      if (!event.repeat && this.decide(cells[at], DECISION_OF_KEY[key])) focusOn(cells[at + 1]);
    } else return false;
    return true;
  }

  // Set the decision of a picture, or clear it if it is the same; returns whether it now has a decision.
  decide(cell, name) {
    const { id } = cell.dataset;
    const decision = cell.dataset.decision === name ? null : name;
    this.send(this.decider.decide([id], decision, { id }, id));
    const picture = this.tiles.find((tile) => tile.id === id).name;
    this.said.textContent = decision ? `${DECISIONS[name].word}: ${picture}` : `No decision: ${picture}`;
    return decision !== null;
  }

  command(command) {
    const { actions, id } = this.decider.command(command);
    this.send(actions);
    focusOn(this.cells.get(id));
    this.said.textContent = command === "undo" ? "Undone" : "Redone";
  }

  // The mark shows at once; the server's answer replaces it later.
  send(actions) {
    this.setStateValue("actions", actions);
    this.fillAll();
  }
}

function focusOn(cell) {
  cell?.querySelector(".tile").focus();
}

const mounts = newMounts(
  ".gallery",
  (element) => new Gallery(element),
  (gallery) => gallery.stopper.abort(),
);

// Streamlit calls this at every change of data or theme.
export default function show(component) {
  const { drawn, leave } = mounts(component);
  drawn.update(component);
  return leave;
}
