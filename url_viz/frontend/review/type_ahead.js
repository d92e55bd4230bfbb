// The field for another class: filters the known ones as one types, and offers a new one.

const CLASSES_SHOWN = 8;

const SUPPORTED = 0.01; // below this share nothing speaks for a class

/**
 * @param {string[]} classes the known ones
 * @param {Record<string, number>} shares of some of them, or none
 * @returns {string[]} the likeliest first, then the others as they come
 */
export function ranked(classes, shares) {
  return [...classes].sort((one, other) => (shares[other] ?? 0) - (shares[one] ?? 0));
}

/**
 * @param {string[]} classes the known ones
 * @param {string} text what was typed
 * @returns {{name: string, isNew: boolean}[]} the classes that hold it, those that begin with it first; then the text itself
 *   as a new class
 */
export function offered(classes, text) {
  const wanted = text.trim().toLowerCase();
  const starts = classes.filter((name) => name.toLowerCase().startsWith(wanted));
  const holds = classes.filter((name) => !name.toLowerCase().startsWith(wanted) && name.toLowerCase().includes(wanted));
  const found = [...starts, ...holds].slice(0, CLASSES_SHOWN).map((name) => ({ name, isNew: false }));
  const isKnown = classes.includes(text.trim());
  return wanted && !isKnown ? [...found, { name: text.trim(), isNew: true }] : found;
}

export class TypeAhead {
  /**
   * @param {HTMLElement} element with an input and a list
   * @param {(label: string) => void} choose
   * @param {() => void} close
   * @param {AbortSignal} signal
   */
  constructor(element, choose, close, signal) {
    this.element = element;
    this.input = element.querySelector("input");
    this.list = element.querySelector("ul");
    this.choose = choose;
    this.close = close;
    this.input.addEventListener("input", () => this.fill(0), { signal });
    this.input.addEventListener("keydown", (event) => this.key(event), { signal });
    this.list.addEventListener("pointerdown", (event) => event.preventDefault(), { signal }); // the field keeps focus
    this.list.addEventListener("click", (event) => this.take([...this.list.children].indexOf(event.target.closest("li"))), { signal });
  }

  /**
   * @param {string[]} classes the known ones
   * @param {{noun?: string, shares?: Record<string, number>, areTold?: boolean, newIs?: string}} more the share of each
   *   class, where it is known, whether it is shown, and what speaks against a new class
   */
  open(classes, { noun = "class", shares = {}, areTold = true, newIs = "" } = {}) {
    this.newIs = newIs;
    this.shares = shares;
    this.areTold = areTold;
    this.classes = ranked(classes, shares);
    this.doubted = null;
    this.noun = noun;
    this.input.placeholder = `Type a ${noun}`;
    this.input.setAttribute("aria-label", `Another ${noun}`);
    this.element.hidden = false;
    this.input.value = "";
    this.fill(0);
    this.input.focus();
  }

  hide() {
    this.element.hidden = true;
  }

  fill(at) {
    this.options = offered(this.classes, this.input.value);
    this.at = Math.max(0, Math.min(at, this.options.length - 1));
    this.list.replaceChildren(
      ...this.options.map(({ name, isNew }, place) => {
        const item = Object.assign(document.createElement("li"), { id: `class-${place}` });
        item.setAttribute("role", "option");
        item.setAttribute("aria-selected", String(place === this.at));
        item.textContent = isNew ? `New ${this.noun} “${name}”` : name;
        const against = isNew ? this.newIs : "nothing here looks like it";
        const words = name === this.doubted ? `${against}: Enter again to choose it` : isNew ? against : this.percent(name);
        if (words) item.append(Object.assign(document.createElement("span"), { className: "share", textContent: words }));
        return item;
      }),
    );
    this.input.setAttribute("aria-activedescendant", this.options.length ? `class-${this.at}` : "");
  }

  // How likely a class is; nothing where no shares are known or shown.
  percent(name) {
    return this.areTold && Object.keys(this.shares).length ? `${Math.round(100 * (this.shares[name] ?? 0))} %` : "";
  }

  key(event) {
    event.stopPropagation(); // what is typed here is no answer
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      this.fill(this.at + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.take(this.at);
    } else if (event.key === "Escape") {
      event.preventDefault();
      this.close();
    }
  }

  take(at) {
    const option = this.options[at];
    if (!option) return;
    const { name, isNew } = option;
    const isDoubted = isNew ? this.newIs !== "" : Object.keys(this.shares).length > 0 && (this.shares[name] ?? 0) < SUPPORTED;
    if (!isDoubted || this.doubted === name) return this.choose(name);
    this.doubted = name;
    this.fill(at);
    this.input.setAttribute("aria-description", `${isNew ? this.newIs : `Nothing here looks like ${name}`}. Press Enter again to choose it.`);
  }
}
