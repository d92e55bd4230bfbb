// Where the tiles of a grid lie: columns, rows, and which of them can be seen.

export const GAP = 12; // pixels between tiles
const MOST_PX = 30_000_000; // browsers draw no higher elements
const LINE_PX = 17.6;
const NAME_PX = 16.2;
const ABOVE_TEXT_PX = 6;
const WITH_TEXT_PX = 96; // narrower tiles have no room for words
const WITH_NAME_PX = 168; // class and question come first
const WITH_VALUE_PX = 92;
const WITH_CHOICES_PX = 130; // the box to choose a picture by stands beside them; so wide, a question is whole
const CHARACTER_PX = 7.2; // of a question, with what the end of a line leaves free
const QUESTION_LINES = [2, 3];

/**
 * @typedef {object} Layout
 * @property {number} columns
 * @property {number} tilePx width and height of a picture
 * @property {number} rowPx from one row to the next
 * @property {number} count tiles that have room
 * @property {number} heightPx of all rows
 */

/**
 * What is written on a tile and below it, by its size.
 * @param {number} tilePx
 * @returns {"all" | "value" | "none"}
 */
export const detailOf = (tilePx) => (tilePx >= WITH_TEXT_PX ? "all" : tilePx >= WITH_VALUE_PX ? "value" : "none");

/** Whether a tile has buttons to decide by; without, its dialog and keys decide. @param {number} tilePx */
export const hasChoices = (tilePx) => tilePx >= WITH_CHOICES_PX;

/**
 * The lines that a question may take: each class has one on a small tile; on others it flows, as far as it must.
 * @param {number} tilePx
 * @param {number} longest characters of the longest question, 0 without any
 */
export function questionLines(tilePx, longest) {
  const [least, most] = QUESTION_LINES;
  if (!longest) return 0;
  return hasChoices(tilePx) && longest * CHARACTER_PX > least * tilePx ? most : least;
}

/** Whether a tile has its file's name below. @param {number} tilePx @param {boolean} hasLabels */
export const hasName = (tilePx, hasLabels) => tilePx >= (hasLabels ? WITH_NAME_PX : WITH_TEXT_PX);

/**
 * @param {object} of
 * @param {number} of.width of the grid, in pixels
 * @param {number} of.sizePx the least size of a tile
 * @param {number} of.count of tiles
 * @param {number} of.longestQuestion characters of the longest "cucumber or banana?", 0 without any
 * @param {number} [of.leastColumns] as far as tiles stay large enough for words
 * @param {boolean} of.hasLabels
 * @returns {Layout}
 */
export function layoutOf({ width, sizePx, count, longestQuestion, hasLabels, leastColumns = 1 }) {
  const fitting = (px) => Math.floor((width + GAP) / (px + GAP));
  const columns = Math.max(1, fitting(sizePx), Math.min(leastColumns, fitting(WITH_TEXT_PX)));
  const tilePx = Math.max(1, Math.floor((width - (columns - 1) * GAP) / columns));
  const hasText = detailOf(tilePx) === "all";
  const lines = questionLines(tilePx, longestQuestion) + (hasLabels ? 1 : 0);
  const namePx = hasName(tilePx, hasLabels) ? NAME_PX : 0;
  const textPx = hasText ? ABOVE_TEXT_PX + LINE_PX * lines + namePx : 0;
  const rowPx = Math.ceil(tilePx + textPx + GAP);
  const rows = Math.min(Math.ceil(count / columns), Math.floor(MOST_PX / rowPx));
  return { columns, tilePx, rowPx, count: Math.min(count, rows * columns), heightPx: Math.max(0, rows * rowPx - GAP) };
}

/**
 * @param {Layout} layout
 * @param {{top: number, height: number}} seen what is scrolled to, in pixels
 * @param {number} extra rows above and below
 * @returns {[number, number]} the first tile that can be seen, and that after the last
 */
export function seenOf({ columns, rowPx, count }, { top, height }, extra = 0) {
  const first = Math.max(0, Math.floor(top / rowPx) - extra);
  const last = Math.max(first, Math.ceil((top + height) / rowPx) + extra);
  return [Math.min(count, first * columns), Math.min(count, last * columns)];
}

/**
 * @param {Layout} layout
 * @param {number} at place of a tile, from 0
 * @returns {{x: number, y: number}} its place in pixels
 */
export const placeOf = ({ columns, tilePx, rowPx }, at) => ({
  x: (at % columns) * (tilePx + GAP),
  y: Math.floor(at / columns) * rowPx,
});

/**
 * @param {string} key of the keyboard
 * @param {number} at the tile that has the focus
 * @param {Layout} layout
 * @param {number} rowsSeen
 * @returns {number | null} the tile that the key leads to; null for other keys
 */
export function stepOf(key, at, { columns, count }, rowsSeen) {
  const steps = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    PageUp: -columns * Math.max(1, rowsSeen),
    PageDown: columns * Math.max(1, rowsSeen),
    Home: -at,
    End: count - 1 - at,
  };
  if (!(key in steps)) return null;
  const to = at + steps[key];
  if (key === "PageUp" || key === "PageDown") return Math.max(0, Math.min(count - 1, to));
  return to >= 0 && to < count ? to : at;
}
