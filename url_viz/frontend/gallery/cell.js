// A cell of the grid: the tile, which is a button, and next to it (buttons cannot be nested) the decision buttons.

import { DECISIONS, DECISION_OF_KEY, newIcon } from "../shared/decisions.js";
import { endsOf } from "../shared/short.js";

/**
 * A picture as the page sends it (`Tile` in url_viz/ui/widgets/gallery.py).
 * @typedef {object} Tile
 * @property {string} id
 * @property {string} name
 * @property {string} thumbnail its URL
 * @property {string} value
 * @property {string | null} label
 * @property {string} twins which others it stands for
 * @property {boolean} is_ringed
 * @property {string | null} mark
 * @property {string | null} decision
 * @property {string | null} question
 * @property {string} detail shown on hover
 * @property {[string, string] | null} asked the two classes of the question, as short as they are told apart
 * @property {string | null} short_label
 */

const PARTS = ["value", "twins", "mark"];
const ENDED = { first: 7, second: 7, label: 6, name: 10 }; // what is cut in its middle, and how many characters of its end are always shown

/** @param {string} id of the picture @returns {HTMLElement} an empty cell */
export function newCell(id) {
  const cell = Object.assign(document.createElement("div"), { className: "cell" });
  cell.dataset.id = id;
  const tile = Object.assign(document.createElement("button"), { type: "button", className: "tile", tabIndex: -1 });
  const part = (name) => Object.assign(document.createElement("span"), { className: name });
  const picture = part("picture");
  picture.append(Object.assign(document.createElement("img"), { alt: "", loading: "lazy", decoding: "async" }));
  picture.append(part("value"), part("twins"), part("decision"));
  tile.append(picture, part("mark"), part("question"), part("label"), part("name"));
  tile.querySelector(".question").append(part("first"), part("second"));
  for (const ended of Object.keys(ENDED)) tile.querySelector(`.${ended}`).append(part("start"), part("end"));
  tile.querySelector(".label").prepend(part("as"));
  cell.append(tile, newChoices());
  return cell;
}

function newChoices() {
  const choices = Object.assign(document.createElement("div"), { className: "choices" });
  for (const [name, { word, key, path }] of Object.entries(DECISIONS)) {
    const choice = Object.assign(document.createElement("button"), {
      type: "button",
      className: `choice ${name}`,
      title: `${word} (${key})`,
      tabIndex: -1, // keys on the tile do the same
    });
    choice.dataset.decision = name;
    choice.setAttribute("aria-label", word);
    choice.append(newIcon(path));
    choices.append(choice);
  }
  return choices;
}

/** @param {HTMLElement} cell @param {Tile} content @param {boolean} canDecide */
export function fill(cell, content, canDecide) {
  const { name, thumbnail, value, label, twins, is_ringed: isRinged, mark, decision, question, detail } = content;
  const { asked, short_label: shortLabel } = content;
  const tile = cell.querySelector(".tile");
  const baseName = name.slice(name.lastIndexOf("/") + 1); // the file name; the title has the whole path
  const texts = {
    value,
    twins: twins && `+${twins}`,
    mark: mark ?? "",
  };
  for (const part of PARTS) tile.querySelector(`.${part}`).textContent = texts[part];
  const as = question && label ? "labelled " : ""; // or "7 or 3?" over "9" reads as a third guess
  tile.querySelector(".as").textContent = as;
  fillEnds(tile, "first", asked ? `${asked[0]} ` : (question ?? ""));
  fillEnds(tile, "second", asked ? `or ${asked[1]}?` : "");
  fillEnds(tile, "label", shortLabel ?? label ?? "");
  fillEnds(tile, "name", baseName);
  tile.title = [name, detail].filter(Boolean).join("\n");
  tile.querySelector(".label").title = label ?? "";
  tile.querySelector(".question").title = question ?? "";
  tile.querySelector(".question").hidden = !question;
  const decided = decision ? `decided: ${DECISIONS[decision].word.toLowerCase()}` : "";
  const said = [name, label && as + label, question, detail || value, texts.twins, texts.mark, decided];
  tile.setAttribute("aria-label", said.filter(Boolean).join(", "));
  tile.classList.toggle("ringed", isRinged);
  if (isRinged) tile.setAttribute("aria-current", "true");
  else tile.removeAttribute("aria-current");
  if (canDecide) tile.setAttribute("aria-keyshortcuts", [...Object.keys(DECISION_OF_KEY), "u", "y"].join(" "));
  else tile.removeAttribute("aria-keyshortcuts");
  cell.querySelector(".choices").hidden = !canDecide;
  tile.classList.toggle("decidable", canDecide);
  showDecision(cell, decision);
  const image = tile.querySelector("img");
  if (image.getAttribute("src") !== thumbnail) image.src = thumbnail;
}

function fillEnds(tile, part, text) {
  const [start, end] = endsOf(text, ENDED[part]);
  tile.querySelector(`.${part} .start`).textContent = start;
  tile.querySelector(`.${part} .end`).textContent = end;
}

function showDecision(cell, decision) {
  if (decision) cell.dataset.decision = decision;
  else delete cell.dataset.decision;
  cell.querySelector(".decision").replaceChildren(...(decision ? [newIcon(DECISIONS[decision].path)] : []));
  for (const choice of cell.querySelectorAll(".choice"))
    choice.setAttribute("aria-pressed", String(choice.dataset.decision === decision));
}
