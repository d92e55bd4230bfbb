// A picture on which a box is drawn with the pointer, or typed; the part in it is searched by.

import { newMounts } from "../shared/mounts.js";
import { boxBetween, boxOf } from "./box.js";

class Part {
  constructor(element) {
    this.element = element;
    this.stopper = new AbortController();
    const { signal } = this.stopper;
    this.stage = element.querySelector(".stage");
    this.drawn = element.querySelector(".box");
    this.inputs = [...element.querySelectorAll("input")];
    this.stage.addEventListener("pointerdown", (event) => this.begin(event), { signal });
    this.stage.addEventListener("pointermove", (event) => this.move(event), { signal });
    this.stage.addEventListener("pointerup", (event) => this.end(event), { signal });
    this.stage.addEventListener("pointercancel", () => this.draw(this.box), { signal });
    for (const input of this.inputs) input.addEventListener("change", () => this.type(), { signal });
    element.querySelector(".all").addEventListener("click", () => this.choose(null), { signal });
  }

  update({ data, setStateValue }) {
    this.setStateValue = setStateValue;
    const image = this.stage.querySelector("img");
    if (image.getAttribute("src") !== data.address) image.src = data.address;
    image.style.aspectRatio = `${data.width} / ${data.height}`; // its place is kept until it is there
    this.stage.style.width = `min(100%, calc(58vh * ${data.width / data.height}))`;
    this.choose(data.box, { isTold: true });
  }

  // Where the pointer is, in shares of the picture.
  at({ clientX, clientY }) {
    const { left, top, width, height } = this.stage.getBoundingClientRect();
    return [(clientX - left) / width, (clientY - top) / height];
  }

  begin(event) {
    if (event.button) return;
    event.preventDefault();
    this.stage.setPointerCapture(event.pointerId);
    this.from = this.at(event);
  }

  move(event) {
    if (this.from) this.draw(boxBetween(this.from, this.at(event)));
  }

  end(event) {
    if (!this.from) return;
    const box = boxBetween(this.from, this.at(event));
    this.from = null;
    if (box) this.choose(box);
    else this.draw(this.box);
  }

  type() {
    const box = boxOf(this.inputs.map(({ value }) => value));
    if (box) this.choose(box);
  }

  choose(box, { isTold = false } = {}) {
    this.box = box;
    this.draw(box);
    this.inputs.forEach((input, place) => (input.value = box ? String(Math.round(1000 * box[place]) / 10) : ""));
    this.element.querySelector(".all").hidden = !box;
    if (!isTold) this.setStateValue("box", box);
  }

  draw(box) {
    this.drawn.hidden = !box;
    if (!box) return;
    const [left, top, width, height] = box.map((share) => `${100 * share}%`);
    Object.assign(this.drawn.style, { left, top, width, height });
  }
}

const mounts = newMounts(
  ".part",
  (element) => new Part(element),
  (part) => part.stopper.abort(),
);

// Streamlit calls this at every change of data or theme.
export default function show(component) {
  const { drawn: part, leave } = mounts(component);
  part.update(component);
  return leave;
}
