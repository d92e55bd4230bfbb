// A box in a picture, in shares of its width and height, as it is drawn and typed.

/**
 * @typedef {[number, number, number, number]} Box left, top, width, height, from 0 to 1
 */

export const LEAST = 0.01; // a smaller one was no drag

const inside = (share) => Math.min(1, Math.max(0, share));
const rounded = (share) => Math.round(share * 10000) / 10000;

/**
 * @param {[number, number]} from a corner, in shares of the picture; it may lie outside
 * @param {[number, number]} to the opposite corner
 * @returns {Box | null} what lies inside the picture; null if that is hardly anything
 */
export function boxBetween(from, to) {
  const [x, y] = [0, 1].map((axis) => inside(Math.min(from[axis], to[axis])));
  const [right, bottom] = [0, 1].map((axis) => inside(Math.max(from[axis], to[axis])));
  const box = /** @type {Box} */ ([x, y, right - x, bottom - y].map(rounded));
  return box[2] < LEAST || box[3] < LEAST ? null : box;
}

/** @param {string[]} typed left, top, width and height in percent @returns {Box | null} null if they are no box */
export function boxOf(typed) {
  const [x, y, width, height] = typed.map((text) => Number.parseFloat(text) / 100);
  return [x, y, width, height].every(Number.isFinite) ? boxBetween([x, y], [x + width, y + height]) : null;
}
