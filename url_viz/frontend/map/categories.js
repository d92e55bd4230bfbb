// The legend of categories: the largest as chips, all of them in a panel with a search; choosing filters the page.

import { categoryColour, cssOf } from "./colours.js";
import { NO_CATEGORY } from "./decode.js";
import { endsOf } from "../shared/short.js";

/**
 * @import { Points } from "./decode.js"
 * @import { Theme } from "./colours.js"
 */

const CHIPS = 8;
const END = 8; // characters of a class's name that are always shown

/**
 * How many points each category has.
 * @param {Pick<Points, "category">} points
 * @param {number} size number of categories
 * @returns {Uint32Array}
 */
export function countsOf({ category }, size) {
  const counts = new Uint32Array(size);
  for (const number of category) if (number !== NO_CATEGORY && number < size) counts[number]++;
  return counts;
}

/**
 * The categories for the chips: what is chosen, then the largest, in their own order.
 * @param {Uint32Array} counts of each
 * @param {number[]} chosen
 * @returns {number[]}
 */
export function firstOf(counts, chosen) {
  const all = Array.from(counts.keys());
  const others = all.filter((one) => !chosen.includes(one)).sort((a, b) => counts[b] - counts[a] || a - b);
  return [...chosen, ...others].slice(0, Math.max(CHIPS, chosen.length)).sort((a, b) => a - b);
}

/**
 * The names that a search finds: each word of it anywhere, in any case.
 * @param {string[]} names
 * @param {string} text
 * @returns {number[]} their numbers
 */
export function found(names, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return [...names.keys()].filter((i) => words.every((word) => names[i].toLowerCase().includes(word)));
}

/**
 * What is chosen after a click: this one alone, or besides the others; once more: no longer.
 * @param {number[]} chosen
 * @param {number} index
 * @param {boolean} isBeside
 * @returns {number[]}
 */
export function toggled(chosen, index, isBeside) {
  if (chosen.includes(index)) return isBeside || chosen.length === 1 ? chosen.filter((one) => one !== index) : [index];
  return isBeside ? [...chosen, index].sort((a, b) => a - b) : [index];
}

export class Categories {
  /**
   * @param {HTMLElement} element the map
   * @param {{onPick: (chosen: number[]) => void, signal: AbortSignal}} options
   */
  constructor(element, { onPick, signal }) {
    this.chips = element.querySelector(".classes");
    this.opener = element.querySelector(".all-classes");
    this.panel = element.querySelector(".panel");
    this.search = this.panel.querySelector("input");
    this.list = this.panel.querySelector(".list");
    this.none = this.panel.querySelector(".none");
    this.onPick = onPick;
    this.chosen = [];
    this.names = [];
    const pick = (isBeside) => (event) => {
      const button = event.target.closest("button[data-index]");
      const beside = isBeside || event.ctrlKey || event.metaKey || event.shiftKey;
      if (button && this.canPick) this.onPick(toggled(this.chosen, Number(button.dataset.index), beside));
    };
    this.chips.addEventListener("click", pick(false), { signal });
    this.list.addEventListener("click", pick(true), { signal });
    this.none.addEventListener("click", () => this.onPick([]), { signal });
    this.opener.addEventListener("click", () => this.open(this.panel.hidden), { signal });
    this.search.addEventListener("input", () => this.fill(), { signal });
    this.panel.addEventListener("keydown", (event) => this.key(event), { signal });
    element.addEventListener("pointerdown", (event) => this.leave(event), { signal });
  }

  key(event) {
    event.stopPropagation(); // the map has other uses for letters
    if (event.key === "Enter" && event.target === this.search) this.list.querySelector("button")?.click();
    if (event.key !== "Escape") return;
    this.open(false);
    this.opener.focus();
  }

  leave(event) {
    if (!event.target.closest(".panel, .all-classes")) this.open(false);
  }

  open(isOpen) {
    this.panel.hidden = !isOpen;
    this.opener.setAttribute("aria-expanded", String(isOpen));
    if (!isOpen) return;
    this.fill();
    this.search.focus({ preventScroll: true });
  }

  /** @param {Record<string, any>} data the page's @param {Points} points @param {Theme} theme */
  show(data, points, theme) {
    const { categories: names, category_title: title, category_colours: fixed, chosen, unlisted, can_pick: canPick } = data;
    const isByCategory = data.colour === "category";
    Object.assign(this, { names, fixed, chosen: chosen ?? [], theme, unlisted, canPick });
    this.counts = countsOf(points, names.length);
    this.chips.hidden = !isByCategory;
    this.chips.setAttribute("aria-label", title || "Classes");
    const first = isByCategory ? firstOf(this.counts, this.chosen) : [];
    this.opener.hidden = !names.length || (isByCategory && first.length === names.length && !unlisted);
    const find = title ? `Find in ${title.toLowerCase()}` : "Find a class";
    const others = names.length + (unlisted ?? 0) - first.length;
    this.opener.textContent = first.length ? `+${others.toLocaleString("en")} more` : find;
    this.opener.title = first.length ? find : "";
    const signature = JSON.stringify([first, names, title, fixed, this.chosen, theme.isDark, canPick]);
    if (this.drawn !== signature) {
      this.chips.replaceChildren(...first.map((index) => this.button(index)));
      if (title) this.chips.prepend(Object.assign(document.createElement("div"), { className: "title", textContent: title }));
    }
    this.drawn = signature;
    if (!this.panel.hidden) this.fill();
  }

  fill() {
    const at = this.list.scrollTop;
    const matching = found(this.names, this.search.value);
    this.list.replaceChildren(...matching.map((index) => this.button(index, this.counts[index])));
    if (!matching.length) this.list.append("No match.");
    if (this.unlisted) this.list.append(`${this.unlisted.toLocaleString("en")} more: use Filter above.`);
    this.list.scrollTop = at;
    this.none.hidden = !this.chosen.length;
  }

  button(index, count) {
    const [button, dot, start, end] = ["button", "i", "span", "b"].map((tag) => document.createElement(tag));
    const isChosen = this.chosen.includes(index);
    const name = this.names[index];
    Object.assign(button, { type: "button", title: this.canPick ? `Show only ${name}; Ctrl+click to add it` : name });
    button.dataset.index = index;
    button.setAttribute("aria-pressed", String(isChosen));
    button.classList.toggle("off", this.chosen.length > 0 && !isChosen);
    dot.style.background = cssOf(categoryColour(index, this.theme, this.fixed, this.chosen));
    [start.textContent, end.textContent] = endsOf(name, END);
    button.append(dot, start, end);
    if (count !== undefined)
      button.append(Object.assign(document.createElement("small"), { textContent: count.toLocaleString("en") }));
    return button;
  }
}
