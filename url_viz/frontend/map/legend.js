// The legend: percentile bar with threshold, or categories.

import { categoryColour, cssOf } from "./colours.js";
import { VALUE_STEPS } from "./decode.js";
import { ordinal } from "./words.js";

/** @import { Theme } from "./colours.js" */

export class Legend {
  /**
   * @param {HTMLElement} foot
   * @param {object} options
   * @param {(percentile: number, isFinal: boolean) => void} options.onThreshold during and after a move of the line
   * @param {(focus: {index: number, isAlone: boolean} | null) => void} options.onFocus a category is brought out, or none
   * @param {AbortSignal} options.signal
   */
  constructor(foot, { onThreshold, onFocus, signal }) {
    this.scale = foot.querySelector(".scale");
    this.classes = foot.querySelector(".classes");
    this.status = foot.querySelector(".status");
    this.hint = foot.querySelector(".hint");
    this.bar = foot.querySelector(".bar");
    this.line = foot.querySelector(".threshold");
    this.onThreshold = onThreshold;
    this.onFocus = onFocus;
    this.listen(signal);
  }

  listen(signal) {
    const at = (event) => {
      const { left, width } = this.bar.getBoundingClientRect();
      return Math.round(100 * Math.min(1, Math.max(0, (event.clientX - left) / width)));
    };
    this.bar.addEventListener(
      "pointerdown",
      (event) => {
        event.preventDefault();
        this.line.focus({ preventScroll: true });
        this.bar.setPointerCapture(event.pointerId);
        this.onThreshold(at(event), false);
      },
      { signal },
    );
    this.bar.addEventListener(
      "pointermove",
      (event) => {
        if (this.bar.hasPointerCapture(event.pointerId)) this.onThreshold(at(event), false);
      },
      { signal },
    );
    this.bar.addEventListener("pointerup", (event) => this.onThreshold(at(event), true), { signal });
    this.line.addEventListener("keydown", (event) => this.onKey(event), { signal });
    this.classes.addEventListener("click", (event) => this.onClick(event), { signal });
  }

  onKey(event) {
    const steps = {
      ArrowLeft: -1,
      ArrowDown: -1,
      ArrowRight: 1,
      ArrowUp: 1,
      PageDown: -10,
      PageUp: 10,
      Home: -100,
      End: 100,
    };
    if (!(event.key in steps)) return;
    event.preventDefault();
    event.stopPropagation();
    this.onThreshold(Math.min(100, Math.max(0, this.threshold + steps[event.key])), true);
  }

  // A click highlights one category, a second click resets; a double click shows it alone.
  onClick(event) {
    const button = event.target.closest("button");
    if (!button) return;
    const index = Number(button.dataset.index);
    const isOn = button.getAttribute("aria-pressed") === "true";
    if (event.detail === 2) this.onFocus({ index, isAlone: true });
    else this.onFocus(isOn ? null : { index, isAlone: false });
  }

  /** @param {Record<string, any>} shown the page's data, `threshold`, `focus`, `status` and `hint` @param {Theme} theme */
  show({ status, hint, ...data }, theme) {
    const isByCategory = data.colour === "category";
    this.scale.hidden = isByCategory;
    this.classes.hidden = !isByCategory;
    this.status.textContent = status;
    this.hint.textContent = hint;
    this.hint.hidden = !hint;
    if (isByCategory) this.showCategories(data, theme);
    else this.showScale(data, theme);
  }

  showScale({ title, ends, threshold }, theme) {
    this.scale.querySelector(".title").textContent = title;
    for (const [i, end] of this.scale.querySelectorAll(".end").entries()) end.textContent = ends[i];
    const context = this.scale.querySelector("canvas").getContext("2d");
    for (let i = 0; i < 256; i++) {
      context.fillStyle = cssOf(theme.ramp[Math.min(VALUE_STEPS, i)]);
      context.fillRect(i, 0, 1, 1);
    }
    this.showThreshold(threshold);
  }

  showThreshold(threshold) {
    this.threshold = threshold ?? 0;
    this.line.style.left = `${this.threshold}%`;
    this.line.setAttribute("aria-valuenow", this.threshold);
    this.line.setAttribute("aria-valuetext", threshold ? `${ordinal(threshold)} percentile` : "no threshold");
    this.line.querySelector("output").textContent = threshold ? Math.round(threshold) : "";
  }

  showCategories({ focus, category_title, category_colours, categories, unlisted }, theme) {
    const listed = { category_title, category_colours, categories, unlisted };
    const signature = JSON.stringify([listed, theme.isDark]);
    if (this.drawn !== signature) this.classes.replaceChildren(...this.chips(listed, theme));
    this.drawn = signature;
    this.classes.setAttribute("aria-label", category_title || "Classes");
    for (const button of this.classes.querySelectorAll("button")) {
      const isIt = focus?.index === Number(button.dataset.index);
      button.setAttribute("aria-pressed", isIt);
      button.classList.toggle("off", Boolean(focus) && !isIt);
    }
  }

  chips({ category_title, category_colours, categories, unlisted }, theme) {
    const plain = (className, textContent) => Object.assign(document.createElement("div"), { className, textContent });
    const chips = categories.map((name, index) => {
      const [button, dot, text] = ["button", "i", "span"].map((tag) => document.createElement(tag));
      Object.assign(button, { type: "button", title: `${name}: click to bring out, double-click to show alone` });
      button.dataset.index = index;
      dot.style.background = cssOf(categoryColour(index, theme, category_colours));
      text.textContent = name;
      button.append(dot, text);
      return button;
    });
    if (category_title) chips.unshift(plain("title", category_title));
    if (unlisted) chips.push(plain("more", `+${unlisted.toLocaleString("en")} more`));
    return chips;
  }
}
