// What is drawn of one card. Names, labels and questions come from files, so they are set as text, never as HTML.

import { DECISIONS, VERDICTS, newIcon } from "../shared/decisions.js";

/**
 * A picture beside the one that is asked about, and some of them, with a class to choose where there is a label.
 * Of an object, `whole` is the picture that it lies in, and `boxes` are the legend of what is drawn on it, if any.
 * @typedef {{line: string, words: string}} LegendEntry
 * @typedef {{id: string, name: string, thumbnail: string, picture: string, whole?: string | null, boxes: LegendEntry[],
 *   label: string | null, mark: string | null, size: string}} NearPicture
 * @typedef {{near: NearPicture[], label: string | null, said: string | null}} Panel
 */

// Keys, what they mean, and what a card takes that they answer: one of these (`AnswerKind` in url_viz/review/cards.py).
const KEYS = [
  ["y", "yes, the same kind of thing", ["same"]],
  ["n", "no, not the same kind", ["same"]],
  ["1 2 3", "the class of that number, or what to keep of a group", ["choice", "keep"]],
  ["1 … 9", "the class of that number, the same every time", ["class"]],
  [DECISIONS.keep.key, "keep it in the set, without an opinion on its class", ["decision"]],
  [DECISIONS.drop.key, "drop it; of a group, all", ["decision"]],
  [DECISIONS.drop.key, "of an object: its box goes, and a detector learns what stays in the picture as background", ["verdict"]],
  [DECISIONS["look-again"].key, "decide later", ["decision"]],
  ["b", "its box is wrong, and is to be drawn again", ["verdict"]],
  ["n", "no such object: drop it", ["verdict"]],
  ["1 … 9", "one of the latest names", ["name"]],
  ["c", "another class, by typing", ["label", "name"]],
  ["e", "rightly both: the two classes of the question", ["either"]],
  ["Shift+E", "rightly both of two other classes, one after the other by typing", ["either"]],
  ["Enter", "another name, by typing", ["name"]],
  ["Space", "skip for now"],
  ["u Ctrl+Z", "undo: take the last answer back, and go back to it"],
  ["Ctrl+Shift+Z", "redo: give it again; y, too, where that is no answer"],
  ["Backspace", "back to the previous one"],
  ["t", "include its copies and views, or not", ["twins"]],
  ["w", "the whole picture, or the crop", ["whole"]],
  ["f", "facts and reasons"],
  ["?", "these keys"],
];

const BUTTONS = {
  ...Object.fromEntries(Object.keys(DECISIONS).map((name) => [name, ["decision"]])),
  another: ["label", "name"],
  either: ["either"],
  pair: ["either"],
  twins: ["twins"],
  same: ["same"],
  other: ["same"],
  verdict: ["verdict"],
};

/** @param {string} tag @param {string} className @param {string} [text] @returns {HTMLElement} */
export function made(tag, className, text = "") {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

function keycap(text) {
  return made("kbd", "", text);
}

/**
 * The keys that answer a card.
 * @param {{takes: string[], panels: Panel[], whole?: string | null}} card
 * @param {string[]} names that have a key
 * @returns {HTMLElement[]} terms and descriptions
 */
export function newKeys({ takes, panels, whole }, names) {
  const isFixed = takes.includes("label") && names.length > 0;
  const isChoice = takes.includes("label") && !isFixed && panels.some(({ label }) => label !== null);
  const answered = [...takes, ...(isFixed ? ["class"] : []), ...(isChoice ? ["choice"] : []), ...(whole ? ["whole"] : [])];
  const shown = KEYS.filter(([, , kinds]) => !kinds || kinds.some((kind) => answered.includes(kind)));
  return shown.flatMap(([keys, words]) => {
    const term = made("dt", "");
    term.append(...keys.split(" ").flatMap((key) => [key === "…" ? key : keycap(key), " "]));
    return [term, made("dd", "", words)];
  });
}

/**
 * What a decision is called on a card: of a group it is of all, and to keep a picture says nothing of its class.
 * @param {string} name
 * @param {string[]} takes what the card takes
 */
export function decisionWords(name, takes) {
  const { word } = DECISIONS[name];
  if (takes.includes("keep")) return name === "look-again" ? word : `${word} all`;
  return name === "keep" && takes.includes("label") ? `${word}, no opinion on the class` : word;
}

/** @param {string[]} takes what a card takes @returns {string[]} the buttons that do not answer it */
export function notAnswering(takes) {
  return Object.keys(BUTTONS).filter((name) => !BUTTONS[name].some((one) => takes.includes(one)));
}

/** @returns {HTMLElement[]} buttons */
export function newAnswers() {
  const decided = Object.entries(DECISIONS).map(([name, { word, key, path }]) => {
    const button = made("button", `answer ${name}`);
    button.append(newIcon(path), made("span", "", word), keycap(key));
    return Object.assign(button, { type: "button", title: KEYS.find(([keys]) => keys === key)[1] });
  });
  const verdicts = Object.entries(VERDICTS).map(([name, { word, key }]) => {
    const button = made("button", "answer verdict");
    button.append(made("span", "", word), keycap(key));
    button.dataset.verdict = name;
    return Object.assign(button, { type: "button", title: KEYS.find(([keys, , kinds]) => keys === key && kinds[0] === "verdict")[1] });
  });
  const others = [
    ["same", "Yes, the same kind", "y"],
    ["other", "No", "n"],
    ["another", "Another class", "c"],
    ["either", "Rightly both", "e"],
    ["pair", "Both of others", "⇧E"],
    ["twins", "", "t"],
    ["skip", "Skip", "Space"],
    ["back", "Back", "⌫"],
  ].map(([name, word, key]) => {
    const button = made("button", `answer ${name}`);
    button.append(made("span", "", word), keycap(key));
    return Object.assign(button, { type: "button" });
  });
  return [...decided, ...verdicts, ...others];
}

// One beside the picture that is asked about, shown large by a click; one of a group has the `number` of its key, and is chosen.
function newPicture({ name, thumbnail, label, mark, size }, number, isNamed) {
  const title = [name, label, size].filter(Boolean).join(" · ");
  const button = Object.assign(made("button", "member"), { type: "button", title });
  const called = isNamed ? `${name}, ${label ?? "without a class"}` : name;
  button.setAttribute("aria-label", `${number ? "Keep" : "Show"} ${called}`);
  button.append(Object.assign(document.createElement("img"), { alt: "", src: thumbnail, decoding: "async" }));
  if (number) button.append(keycap(String(number)));
  if (mark) button.append(made("span", "mark", mark));
  if (isNamed) button.append(made("span", "class", label ?? "without a class"));
  return button;
}

/**
 * A class to choose with its nearest pictures, or a group that is none, or the nearest pictures alone; or a group to choose from, numbered.
 * @param {Panel} panel
 * @param {number} number the key of the class
 * @param {{isGroup: boolean, given: string | null}} of `given` is the class that the picture came with
 * @returns {HTMLElement}
 */
export function newPanel({ label, said, near }, number, { isGroup, given }) {
  const isAlone = label === null && said === null;
  const panel = made("div", `panel${isAlone ? " alone" : ""}${near.length ? "" : " bare"}`);
  if (label !== null) {
    const choose = newName(label, number);
    if (label === given) choose.append(made("span", "share", "as labelled"));
    if (said !== null) choose.append(made("span", "share", said));
    panel.append(choose);
  } else if (said !== null) panel.append(made("p", "like", said));
  const pictures = made("div", "near");
  const isNamed = isGroup && new Set(near.map((picture) => picture.label)).size > 1; // what to keep is then a class, too
  pictures.append(...near.map((picture, place) => newPicture(picture, isGroup ? place + 1 : null, isNamed)));
  panel.append(pictures);
  return panel;
}

/**
 * What number keys name: all classes where they are few, else those to choose, or what is suggested and the latest names.
 * @param {{panels: Panel[], takes: string[]}} card
 * @param {string[]} names that have a key
 * @returns {string[]} at most nine
 */
export function namesToChoose({ panels, takes }, names) {
  if (takes.includes("label") && names.length) return names;
  if (!takes.includes("label") && !takes.includes("name")) return [];
  const suggested = panels.map(({ label }) => label).filter((label) => label !== null);
  return [...suggested, ...names.filter((name) => !suggested.includes(name))].slice(0, 9);
}

/**
 * The panels of a card in the order in which they are read, which is that of number keys: where these name all classes,
 * each class has its place on every picture, the ones in question with their nearest pictures.
 * @param {{panels: Panel[], takes: string[]}} card
 * @param {string[]} names that have a key
 * @returns {Panel[]}
 */
export function panelsInOrder({ panels, takes }, names) {
  if (!takes.includes("label") || !names.length) return panels;
  const of = (name) => panels.find(({ label }) => label === name) ?? { near: [], label: name, said: null };
  return [...names.map(of), ...panels.filter(({ label }) => !names.includes(label))];
}

/**
 * The two classes of a question; none where it names fewer.
 * @param {{panels: Panel[]}} card
 * @returns {[string, string] | null}
 */
export function bothOf({ panels }) {
  const [first, second] = panels.map(({ label }) => label).filter((label) => label !== null);
  return second === undefined ? null : [first, second];
}

/** @param {string} name @param {number} number its key, 0 for none @returns {HTMLElement} */
export function newName(name, number) {
  const button = Object.assign(made("button", "choose"), { type: "button", title: name });
  button.dataset.number = number;
  button.append(...(number ? [keycap(String(number))] : []), made("span", "name", name));
  return button;
}

/**
 * @param {{picture: string, whole?: string | null}} of
 * @param {boolean} isWhole whether objects are shown in their pictures
 * @returns {string} the address of what is shown large
 */
export function sourceOf({ picture, whole }, isWhole) {
  return (isWhole && whole) || picture;
}

/** @param {NearPicture} picture the other one of a pair @param {boolean} isWhole @returns {HTMLElement} */
export function newBeside(picture, isWhole) {
  const figure = made("figure", "large beside");
  const image = Object.assign(document.createElement("img"), { alt: "", src: sourceOf(picture, isWhole) });
  const legend = made("ul", "boxes");
  drawLegend(legend, isWhole ? picture.boxes : []);
  figure.append(image, legend, made("figcaption", "", picture.name));
  return figure;
}

/** @param {HTMLElement} list where the legend stands @param {LegendEntry[]} entries none: nothing is drawn on the picture */
export function drawLegend(list, entries) {
  list.hidden = !entries.length;
  list.replaceChildren(
    ...entries.map(({ line, words }) => {
      const item = made("li", "");
      item.append(...(line === "none" ? [] : [made("i", line)]), words);
      return item;
    }),
  );
}

/** @param {LegendEntry[]} entries @returns {string} the whole picture of an object, for who does not see it */
export function wholeInWords(entries) {
  const drawn = entries.map(({ line, words }) => (line === "none" ? words : `${line}: ${words}`));
  return ["The whole picture, with the box of the object", ...drawn].join("; ");
}

/**
 * What its label is now, and what it was given as.
 * @param {{label_given: string | null, twins: string, question: string, takes: string[]}} card
 * @param {string | null} label that somebody gave
 * @param {string | null} either the class that it rightly is besides
 * @returns {string}
 */
export function ownWords({ label_given: given, twins, question, takes }, label, either = null) {
  const others = twins ? [`+${twins}`] : [];
  if (takes.includes("name")) return [...(label === null ? [] : [`named ${label}`]), ...others].join(" · ");
  const now = label ?? given;
  if (either !== null) return [`rightly both ${label} and ${either}`, ...others].join(" · ");
  const words = [];
  const isCorrected = label !== null && label !== given;
  if (isCorrected) words.push(`labelled ${now}, originally ${given ?? "unlabelled"}`);
  else if (now !== null && !question.endsWith(`Labelled ${now}`)) words.push(`labelled ${now}`);
  if (label !== null && label === given) words.push("confirmed");
  return [...words, ...others].join(" · ");
}
