// The gallery's module. Names and labels come from files, so they are text, never HTML.

const PARTS = ["value", "twins", "mark", "name", "label"];

class Gallery {
  constructor(element) {
    this.element = element;
    this.grid = element.querySelector(".grid");
    this.tiles = new Map();
    this.stopper = new AbortController();
    const { signal } = this.stopper;
    this.grid.addEventListener("click", (event) => this.click(event), { signal });
    this.grid.addEventListener("keydown", (event) => this.key(event), { signal });
    this.grid.addEventListener("focusin", (event) => this.enterAt(event.target.closest(".tile")), { signal });
    // Neither event of an image bubbles, but both can be caught on their way down.
    this.grid.addEventListener("error", (event) => event.target.parentElement.classList.add("broken"), {
      signal,
      capture: true,
    });
    this.grid.addEventListener("load", (event) => event.target.parentElement.classList.remove("broken"), {
      signal,
      capture: true,
    });
  }

  // Tiles already there are kept, so that their pictures neither load again nor flicker.
  update({ data, setTriggerValue }) {
    this.setTriggerValue = setTriggerValue;
    const before = this.tiles;
    this.tiles = new Map(data.tiles.map((tile) => [tile.id, before.get(tile.id) ?? newTile(tile.id)]));
    for (const tile of data.tiles) fill(this.tiles.get(tile.id), tile);
    const wanted = [...this.tiles.values()];
    if (wanted.length !== this.grid.children.length || wanted.some((tile, i) => tile !== this.grid.children[i]))
      this.grid.replaceChildren(...wanted);
    this.grid.classList.toggle("free", !data.columns);
    this.grid.classList.toggle(
      "unlabelled",
      data.tiles.every((tile) => tile.label === null),
    );
    this.grid.style.setProperty("--columns", data.columns ?? 1);
    this.grid.hidden = !wanted.length;
    const empty = this.element.querySelector(".empty");
    empty.hidden = wanted.length > 0;
    empty.textContent = data.empty;
    if (wanted.length && !wanted.some((tile) => tile.tabIndex === 0)) wanted[0].tabIndex = 0;
  }

  click(event) {
    const tile = event.target.closest(".tile");
    if (tile) this.setTriggerValue("clicked", tile.dataset.id);
  }

  // The grid is one stop of the Tab key; inside, arrows move.
  enterAt(tile) {
    for (const other of this.tiles.values()) other.tabIndex = other === tile ? 0 : -1;
  }

  key(event) {
    const tiles = [...this.grid.children];
    const at = tiles.indexOf(event.target.closest(".tile"));
    const columns = tiles.filter((tile) => tile.offsetTop === tiles[0].offsetTop).length;
    const steps = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns,
      ArrowDown: columns,
      Home: -at,
      End: tiles.length - 1 - at,
    };
    if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    tiles[at + steps[event.key]]?.focus();
  }
}

function newTile(id) {
  const tile = Object.assign(document.createElement("button"), { type: "button", className: "tile", tabIndex: -1 });
  tile.dataset.id = id;
  const part = (name) => Object.assign(document.createElement("span"), { className: name });
  const picture = part("picture");
  picture.append(Object.assign(document.createElement("img"), { alt: "", loading: "lazy", decoding: "async" }));
  picture.append(part("value"), part("twins"), part("mark"));
  tile.append(picture, part("name"), part("label"));
  return tile;
}

function fill(tile, { name, thumbnail, value, label, twins, is_ringed: isRinged, mark }) {
  const baseName = name.slice(name.lastIndexOf("/") + 1); // a path's end tells pictures apart; the title has all of it
  const texts = {
    value,
    twins: twins ? `+${twins} ${twins === 1 ? "twin" : "twins"}` : "",
    mark: mark ?? "",
    name: baseName,
    label: label ?? "",
  };
  for (const part of PARTS) tile.querySelector(`.${part}`).textContent = texts[part];
  tile.querySelector(".name").title = name;
  tile.querySelector(".label").title = label ?? "";
  tile.setAttribute("aria-label", [name, texts.label, value, texts.twins, texts.mark].filter(Boolean).join(", "));
  tile.classList.toggle("ringed", isRinged);
  if (isRinged) tile.setAttribute("aria-current", "true");
  else tile.removeAttribute("aria-current");
  const image = tile.querySelector("img");
  if (image.getAttribute("src") !== thumbnail) image.src = thumbnail;
}

const galleries = new WeakMap(); // Streamlit's root → its gallery

// Streamlit calls this at every change of data or theme, and the last returned function once the root leaves the page.
export default function show(component) {
  const root = component.parentElement;
  const element = root.querySelector(".gallery");
  let gallery = galleries.get(root);
  if (gallery?.element !== element) {
    gallery?.stopper.abort();
    gallery = new Gallery(element);
    galleries.set(root, gallery);
  }
  gallery.update(component);
  gallery.latest = component;
  return () => {
    if (gallery.latest !== component) return; // an overtaken call: a later one goes on with this gallery
    gallery.stopper.abort();
    galleries.delete(root);
  };
}
