// Finds the point under the pointer, by a grid over the points, and the points in a lasso.

/**
 * @import { Points } from "./decode.js"
 *
 * @typedef {object} Grid square cells over the points' box
 * @property {number} side cells along each axis
 * @property {(x: number) => number} cellX the column of an x in map units; the nearest one beyond the box
 * @property {(y: number) => number} cellY the row of a y in map units
 * @property {Uint32Array} starts where each cell begins in `rows`, and the end (side * side + 1)
 * @property {Uint32Array} rows of the points, sorted by cell
 */

const POINTS_PER_CELL = 4;

/** @param {Points} points @returns {Grid} */
export function gridOf({ n, x, y, box: [xMin, xMax, yMin, yMax] }) {
  const side = Math.max(1, Math.ceil(Math.sqrt(n / POINTS_PER_CELL)));
  const [perX, perY] = [side / (xMax - xMin || 1), side / (yMax - yMin || 1)];
  const cellX = (value) => Math.min(side - 1, Math.max(0, Math.floor((value - xMin) * perX)));
  const cellY = (value) => Math.min(side - 1, Math.max(0, Math.floor((value - yMin) * perY)));
  const starts = new Uint32Array(side * side + 1);
  for (let i = 0; i < n; i++) starts[cellY(y[i]) * side + cellX(x[i]) + 1]++;
  for (let c = 0; c < side * side; c++) starts[c + 1] += starts[c];
  const [next, rows] = [starts.slice(), new Uint32Array(n)];
  for (let i = 0; i < n; i++) rows[next[cellY(y[i]) * side + cellX(x[i])]++] = i;
  return { side, cellX, cellY, starts, rows };
}

/**
 * @param {Pick<Points, "x" | "y">} points
 * @param {Grid} grid of these points
 * @param {{x: number, y: number, reach: number, isShown: (row: number) => boolean}} from a place and how far, in map units
 * @returns {number} the row of the nearest shown point within reach; -1 for none
 */
export function nearestRow(points, grid, { x, y, reach, isShown }) {
  let [best, bestSquare] = [-1, reach * reach];
  const [left, right] = [grid.cellX(x - reach), grid.cellX(x + reach)];
  for (let row = grid.cellY(y - reach); row <= grid.cellY(y + reach); row++) {
    for (let at = grid.starts[row * grid.side + left]; at < grid.starts[row * grid.side + right + 1]; at++) {
      const i = grid.rows[at];
      const square = (points.x[i] - x) ** 2 + (points.y[i] - y) ** 2;
      if (square <= bestSquare && isShown(i)) [best, bestSquare] = [i, square];
    }
  }
  return best;
}

/**
 * @param {Pick<Points, "n" | "x" | "y">} points
 * @param {number[][]} polygon its corners, x and y in map units
 * @returns {Uint8Array} 1 for each point inside, by the even-odd rule, as in `inside_polygon` of url_viz/columns/filters.py
 */
export function insideRows({ n, x, y }, polygon) {
  const inside = new Uint8Array(n);
  const [low, high] = [Math.min, Math.max].map((end) => [0, 1].map((axis) => end(...polygon.map((corner) => corner[axis]))));
  const isNear = (i) => x[i] >= low[0] && x[i] <= high[0] && y[i] >= low[1] && y[i] <= high[1];
  for (let i = 0; i < n; i++) {
    if (!isNear(i)) continue;
    polygon.forEach(([toX, toY], at) => {
      const [fromX, fromY] = polygon.at(at - 1);
      if (fromY > y[i] !== toY > y[i] && x[i] < fromX + ((y[i] - fromY) * (toX - fromX)) / (toY - fromY)) inside[i] ^= 1;
    });
  }
  return inside;
}
