// Decodes the map's points and a filter's mask (layout: url_viz/drawing/points.py).

import wire from "../shared/wire.json" with { type: "json" };

/**
 * The n points of the map, a row each.
 * @typedef {object} Points
 * @property {number} n
 * @property {BigInt64Array} ids
 * @property {Float32Array} x in map units
 * @property {Float32Array} y in map units, upwards
 * @property {Uint16Array} category a number among the names of the categories, or NO_CATEGORY
 * @property {Uint8Array} value the percentile of the measure in VALUE_STEPS steps, higher: less to be trusted, or NO_VALUE
 * @property {Uint8Array} size the same of the column that points are sized by
 * @property {number[]} box [xMin, xMax, yMin, yMax]
 */

const { header_bytes: HEADER_BYTES, bytes_per_point: BYTES_PER_POINT, coordinate_steps: COORDINATE_STEPS } = wire.points;
export const VALUE_STEPS = wire.points.value_steps;
export const NO_VALUE = wire.points.no_value;
export const NO_CATEGORY = wire.points.no_category;

/**
 * @param {ArrayBuffer} buffer
 * @returns {Points} whose ids, categories and values lie in the buffer itself
 * @throws {Error} if the bytes are no points
 */
export function decodePoints(buffer) {
  const header = headerOf(buffer, wire.points);
  const n = header?.getUint32(4, true);
  if (!header || buffer.byteLength !== HEADER_BYTES + BYTES_PER_POINT * n)
    throw new Error(`${buffer.byteLength} bytes that are no points`);
  const [xMin, xMax, yMin, yMax] = [8, 12, 16, 20].map((at) => header.getFloat32(at, true));
  let offset = HEADER_BYTES;
  const block = (Kind) => {
    const array = new Kind(buffer, offset, n);
    offset += array.byteLength;
    return array;
  };
  const ids = block(BigInt64Array);
  const x = Float32Array.from(block(Uint16Array), (step) => xMin + (step * (xMax - xMin)) / COORDINATE_STEPS);
  const y = Float32Array.from(block(Uint16Array), (step) => yMin + (step * (yMax - yMin)) / COORDINATE_STEPS);
  const [category, value, size] = [block(Uint16Array), block(Uint8Array), block(Uint8Array)];
  return { n, ids, x, y, category, value, size, box: [xMin, xMax, yMin, yMax] };
}

/** @type {Points} */
export const NO_POINTS = {
  n: 0,
  ids: new BigInt64Array(),
  x: new Float32Array(),
  y: new Float32Array(),
  category: new Uint16Array(),
  value: new Uint8Array(),
  size: new Uint8Array(),
  box: [0, 0, 0, 0],
};

/**
 * @param {ArrayBuffer} buffer a mask
 * @param {Pick<Points, "n" | "ids">} points
 * @returns {Uint8Array | null} for each point whether it passes the filter (1) or not (0); null if the mask is for other points
 */
export function keptOf(buffer, { n, ids }) {
  const header = headerOf(buffer, wire.mask);
  const size = wire.mask.header_bytes + ((n + 7) >> 3);
  if (!header || header.getUint32(4, true) !== n || buffer.byteLength !== size) return null;
  const halves = new Int32Array(ids.buffer, ids.byteOffset, 2 * n);
  let [low, high] = [0, 0];
  for (let i = 0; i < 2 * n; i += 2) ([low, high] = [low ^ halves[i], high ^ halves[i + 1]]);
  if (header.getInt32(8, true) !== low || header.getInt32(12, true) !== high) return null;
  const bits = new Uint8Array(buffer, wire.mask.header_bytes);
  return Uint8Array.from({ length: n }, (_, i) => (bits[i >> 3] >> (i & 7)) & 1);
}

// The header of bytes that begin with such a mark; null for others.
function headerOf(buffer, { magic, header_bytes: size }) {
  if (buffer.byteLength < size) return null;
  const isOurs = String.fromCharCode(...new Uint8Array(buffer, 0, magic.length)) === magic;
  return isOurs ? new DataView(buffer, 0, size) : null;
}
