// The legend: percentile bar with threshold, status and hint.

import { cssOf } from "./colours.js";
import { VALUE_STEPS } from "./decode.js";
import { above } from "./words.js";

/** @import { Theme } from "./colours.js" */

export class Legend {
  /**
   * @param {HTMLElement} foot
   * @param {object} options
   * @param {(percentile: number, isFinal: boolean) => void} options.onThreshold during and after a move of the line
   * @param {AbortSignal} options.signal
   */
  constructor(foot, { onThreshold, signal }) {
    this.scale = foot.querySelector(".scale");
    this.status = foot.querySelector(".status");
    this.hint = foot.querySelector(".hint");
    this.bar = foot.querySelector(".bar");
    this.line = foot.querySelector(".threshold");
    this.onThreshold = onThreshold;
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
        if (this.line.hidden) return;
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
    this.bar.addEventListener(
      "pointerup",
      (event) => {
        if (!this.line.hidden) this.onThreshold(at(event), true);
      },
      { signal },
    );
    this.line.addEventListener("keydown", (event) => this.onKey(event), { signal });
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

  /** @param {Record<string, any>} shown the page's data, `threshold`, `status` and `hint` @param {Theme} theme */
  show({ status, hint, ...data }, theme) {
    this.scale.hidden = data.colour === "category";
    this.status.textContent = status;
    this.hint.textContent = hint;
    this.hint.hidden = !hint;
    if (!this.scale.hidden) this.showScale(data, theme);
  }

  showScale({ title, ends, threshold, is_of_order: isOfOrder }, theme) {
    this.line.hidden = isOfOrder === false;
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
    this.line.setAttribute("aria-valuetext", threshold ? above(threshold) : "no threshold");
    this.line.querySelector("output").textContent = threshold ? Math.round(threshold) : "";
  }
}
