// The decisions on a picture: their words, keys and icons, which differ in shape as well as in colour.

import wire from "./wire.json" with { type: "json" };

const PATHS = {
  keep: "M3.5 8.5 6.5 11.5 12.5 4.5",
  drop: "M4 4 12 12M12 4 4 12",
  "look-again": "M5.6 6.2a2.4 2.4 0 1 1 3.6 2c-.8.5-1.2.9-1.2 1.7M8 12.4v.1",
};

/** @type {Record<string, {word: string, key: string, path: string}>} by name; `path` is drawn on 16 × 16 */
export const DECISIONS = Object.fromEntries(
  Object.entries(wire.decisions).map(([name, said]) => [name, { ...said, path: PATHS[name] }]),
);

/** @type {Record<string, string>} */
export const DECISION_OF_KEY = Object.fromEntries(Object.entries(DECISIONS).map(([name, { key }]) => [key, name]));

/** @type {Record<string, {word: string, key: string, decision: string | null}>} on the box of an object, by tag */
export const VERDICTS = wire.verdicts;

/** @param {string} path @returns {SVGElement} */
export function newIcon(path) {
  const space = "http://www.w3.org/2000/svg";
  const icon = document.createElementNS(space, "svg");
  icon.setAttribute("viewBox", "0 0 16 16");
  icon.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(space, "path");
  line.setAttribute("d", path);
  icon.append(line);
  return icon;
}
