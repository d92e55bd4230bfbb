// What is drawn of one card. Names, labels and questions come from files, so they are set as text, never as HTML.

import { DECISIONS, newIcon } from "../shared/decisions.js";

/**
 * A picture beside the one that is asked about, and some of them, with a class to choose where there is a label
 * (`NearPicture` and `Panel` in url_viz/ui/widgets/desk.py).
 * @typedef {{id: string, name: string, thumbnail: string, picture: string, label: string | null, mark: string | null}} NearPicture
 * @typedef {{near: NearPicture[], label: string | null, share: number | null}} Panel
 */

const KEYS = [
  ["y", "yes, the same kind of thing"],
  ["n", "no, not the same kind"],
  ["1 2", "the first or the second; a class, or of twins the one to keep"],
  [DECISIONS.keep.key, "keep it as it is"],
  [DECISIONS.drop.key, "drop it"],
  [DECISIONS["look-again"].key, "look again later"],
  ["1 … 9", "one of the latest names"],
  ["c", "another class, by typing"],
  ["Enter", "another name, by typing"],
  ["Space", "skip it for now"],
  ["Backspace", "back to the one before"],
  ["t", "answer for its twins too, or not"],
  ["f", "facts and reasons"],
  ["?", "these keys"],
];

const OF_NAMES = ["1 … 9", "Enter"];

/** @param {string} tag @param {string} className @param {string} [text] @returns {HTMLElement} */
export function made(tag, className, text = "") {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

function keycap(text) {
  return made("kbd", "", text);
}

/**
 * The keys that answer a card: without classes none names one, a group of twins is answered as a whole, a pair by yes or no.
 * @param {"classes" | "plain" | "twins" | "pair" | "names"} kind
 * @returns {HTMLElement[]} terms and descriptions
 */
export function newKeys(kind) {
  const decisions = Object.values(DECISIONS).map(({ key }) => key);
  const without = {
    classes: ["y", "n", ...OF_NAMES],
    plain: ["y", "n", "1 2", ...OF_NAMES],
    twins: ["y", "n", "c", "t", ...OF_NAMES],
    pair: ["1 2", ...decisions, "c", "t", ...OF_NAMES],
    names: ["y", "n", "1 2", "c"],
  }[kind];
  return KEYS.filter(([keys]) => !without.includes(keys)).flatMap(([keys, words]) => {
    const term = made("dt", "");
    term.append(...keys.split(" ").flatMap((key) => [key === "…" ? key : keycap(key), " "]));
    return [term, made("dd", "", words)];
  });
}

/** @param {string} kind of a card @returns {string[]} the buttons that do not answer it */
export function notAnswering(kind) {
  return kind === "pair" ? [...Object.keys(DECISIONS), "another", "twins"] : ["same", "other"];
}

/** @returns {HTMLElement[]} buttons */
export function newAnswers() {
  const decided = Object.entries(DECISIONS).map(([name, { word, key, path }]) => {
    const button = made("button", `answer ${name}`);
    button.append(newIcon(path), word, keycap(key));
    return Object.assign(button, { type: "button" });
  });
  const others = [
    ["same", "Yes, the same kind", "y"],
    ["other", "No", "n"],
    ["another", "Another class", "c"],
    ["twins", "", "t"],
    ["skip", "Skip", "Space"],
    ["back", "Back", "⌫"],
  ].map(([name, word, key]) => {
    const button = made("button", `answer ${name}`);
    button.append(made("span", "", word), keycap(key));
    return Object.assign(button, { type: "button" });
  });
  return [...decided, ...others];
}

function newPicture({ name, thumbnail, label, mark }, number) {
  const button = Object.assign(made("button", "member"), { type: "button", title: label ? `${name} · ${label}` : name });
  button.setAttribute("aria-label", `Show ${name}`);
  button.append(Object.assign(document.createElement("img"), { alt: "", src: thumbnail, decoding: "async" }));
  if (number) button.append(keycap(String(number)));
  if (mark) button.append(made("span", "mark", mark));
  return button;
}

/**
 * A class to choose with its nearest pictures, or the nearest pictures alone.
 * @param {Panel} panel
 * @param {number} number the key of the class
 * @returns {HTMLElement}
 */
export function newPanel({ label, share, near }, number) {
  const panel = made("div", "panel");
  if (label !== null) {
    const choose = Object.assign(made("button", "choose"), { type: "button", title: label });
    choose.dataset.number = number;
    choose.append(keycap(String(number)), made("span", "name", label));
    if (share !== null) choose.append(made("span", "share", `${Math.round(100 * share)} %`));
    panel.append(choose);
  }
  const pictures = made("div", "near");
  pictures.append(...near.map((picture) => newPicture(picture, null)));
  panel.append(pictures);
  return panel;
}

/** @param {Panel} panel the twins to choose from @returns {HTMLElement} */
export function newGroup({ near }) {
  const panel = made("div", "panel");
  const pictures = made("div", "near");
  pictures.append(...near.map((picture, place) => newPicture(picture, place + 1)));
  panel.append(pictures);
  return panel;
}

/**
 * What number keys name: what is suggested, then the latest names.
 * @param {{panels: Panel[]}} card
 * @param {string[]} names
 * @returns {string[]} at most nine
 */
export function namesToChoose({ panels }, names) {
  const suggested = panels.map(({ label }) => label).filter((label) => label !== null);
  return [...suggested, ...names.filter((name) => !suggested.includes(name))].slice(0, 9);
}

/** @param {string} name @param {number} number its key @returns {HTMLElement} */
export function newName(name, number) {
  const button = Object.assign(made("button", "choose"), { type: "button", title: name });
  button.dataset.number = number;
  button.append(keycap(String(number)), made("span", "name", name));
  return button;
}

/** @param {NearPicture} picture the other one of a pair @returns {HTMLElement} */
export function newBeside({ name, picture }) {
  const figure = made("figure", "large beside");
  figure.append(Object.assign(document.createElement("img"), { alt: "", src: picture }), made("figcaption", "", name));
  return figure;
}

/** @param {number} count of the other pictures of its group @returns {string} */
export function twinsInWords(count) {
  return count === 1 ? "and its twin" : `and its ${count.toLocaleString("en")} twins`;
}

/**
 * What its label is now, and what it was given as.
 * @param {{label_given: string | null, twins: number, question: string, kind: string}} card
 * @param {string | null} label that somebody gave
 * @returns {string}
 */
export function ownWords({ label_given: given, twins, question, kind }, label) {
  const others = twins ? [`+${twins} ${twins === 1 ? "twin" : "twins"}`] : [];
  if (kind === "names") return [...(label === null ? [] : [`named ${label}`]), ...others].join(" · ");
  const now = label ?? given;
  const words = [];
  const isCorrected = label !== null && label !== given;
  if (isCorrected) words.push(`labelled ${now}, given as ${given ?? "none"}`);
  else if (now !== null && !question.startsWith(`labelled ${now}`)) words.push(`labelled ${now}`);
  if (label !== null && label === given) words.push("confirmed");
  return [...words, ...others].join(" · ");
}
