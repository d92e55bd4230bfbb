// The field for another class: filters the known ones as one types, and offers a new one.

const CLASSES_SHOWN = 8;

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
    this.list.addEventListener("click", (event) => this.take([...this.list.children].indexOf(event.target)), { signal });
  }

  /** @param {string[]} classes the known ones */
  open(classes, noun = "class") {
    this.classes = classes;
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
        return item;
      }),
    );
    this.input.setAttribute("aria-activedescendant", this.options.length ? `class-${this.at}` : "");
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
    if (option) this.choose(option.name);
  }
}
