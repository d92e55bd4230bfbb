// The hover card of a picture. Names come from files: set as text, never as HTML.

import { classesBetween, figure, standing } from "./words.js";

/** @import { Between } from "./words.js" */

const DWELL_MS = 125; // how long the pointer rests before a request
const LINGER_MS = 90; // how long the card stays when the pointer leaves a point, so that it does not flicker on the way
const CARDS_KEPT = 300;
const GAP = 14;

export class Card {
  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
    this.known = new Map();
    this.id = null;
    this.image = element.querySelector(".crop");
    this.whole = element.querySelector(".whole");
    this.image.addEventListener("error", () => this.image.parentElement.classList.add("broken"));
    this.whole.addEventListener("error", () => (this.whole.hidden = true));
  }

  /**
   * Show the card of a picture beside a position on the stage, once the pointer has rested there.
   * @param {string} id of the picture
   * @param {string} urlTemplate with `{id}`, of its card
   * @param {[number, number]} place left and top, in CSS pixels of the stage
   */
  over(id, urlTemplate, place) {
    this.place = place;
    if (id === this.id) return this.isShown() ? this.settle() : undefined;
    this.cancel();
    this.id = id;
    this.timer = setTimeout(() => this.bring(id, urlTemplate.replace("{id}", encodeURIComponent(id))), DWELL_MS);
    return undefined;
  }

  leave() {
    if (this.id === null) return;
    this.cancel();
    this.timer = setTimeout(() => this.hide(), LINGER_MS);
  }

  hide() {
    this.cancel();
    this.element.hidden = true;
  }

  cancel() {
    clearTimeout(this.timer);
    this.request?.abort();
    this.id = null;
  }

  forget() {
    this.known.clear();
    this.hide();
  }

  isShown() {
    return !this.element.hidden;
  }

  async bring(id, url) {
    this.request = new AbortController();
    const { signal } = this.request;
    try {
      const content = this.known.get(url) ?? (await this.fetched(url, signal));
      if (signal.aborted) return;
      await Promise.all([content.thumbnail, content.whole].map((url) => this.pictureReady(url)));
      if (!signal.aborted && this.id === id) this.show(content);
    } catch (error) {
      if (!signal.aborted) this.show({ name: "No details to show", label: error.message });
    }
  }

  async fetched(url, signal) {
    const response = await fetch(url, { signal });
    if (!response.ok) throw new Error(`The server answered ${response.status}.`);
    const content = await response.json();
    if (this.known.size >= CARDS_KEPT) this.known.delete(this.known.keys().next().value);
    this.known.set(url, content);
    return content;
  }

  // The thumbnail is loaded before it is shown; a missing or slow one does not block the card.
  async pictureReady(url) {
    if (!url) return;
    const image = new Image();
    image.src = url;
    await Promise.race([image.decode().catch(() => null), new Promise((then) => setTimeout(then, 400))]);
  }

  show(content) {
    this.image.parentElement.classList.toggle("broken", !content.thumbnail);
    if (content.thumbnail && this.image.getAttribute("src") !== content.thumbnail) this.image.src = content.thumbnail;
    this.whole.hidden = !content.whole;
    if (content.whole && this.whole.getAttribute("src") !== content.whole) this.whole.src = content.whole;
    this.element.classList.toggle("object", Boolean(content.whole));
    this.put(".name", content.name);
    this.put(".label", content.label ?? "");
    this.element.querySelector(".between").replaceChildren(...betweenOf(content.between ?? []));
    this.element.querySelector("dl").replaceChildren(...(content.measures ?? []).map(measureOf));
    this.element.hidden = false;
    this.settle();
  }

  put(selector, text) {
    this.element.querySelector(selector).textContent = text;
  }

  // Position beside the point, on the side with room, inside the stage.
  settle() {
    const { offsetWidth: width, offsetHeight: height, parentElement: stage } = this.element;
    const [left, top] = this.place;
    const onRight = left + GAP + width + 6 <= stage.clientWidth;
    const x = onRight ? left + GAP : Math.max(6, left - GAP - width);
    const y = Math.min(Math.max(6, top - height / 2), Math.max(6, stage.clientHeight - height - 6));
    this.element.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
  }
}

function textIn(tag, className, text) {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

/** @param {Between[]} classes @returns {HTMLElement[]} */
function betweenOf(classes) {
  return classesBetween(classes).map(({ name, share, end }) => {
    const one = textIn("span", "class", "");
    one.append(textIn("span", "of", name), textIn("span", "share", share), end);
    return one;
  });
}

function measureOf({ title, value, percentile }) {
  const row = document.createElement("div");
  const rank = typeof percentile === "number" ? standing(percentile) : "";
  row.append(textIn("dt", "", title), textIn("dd", "value", figure(value)), textIn("dd", "rank", rank));
  return row;
}
