// Decodes the map's points and a filter's mask (layout: url_viz/ui/points.py).

/**
 * The n points of the map, a row each.
 * @typedef {object} Points
 * @property {number} n
 * @property {BigInt64Array} ids
 * @property {Float32Array} x in map units
 * @property {Float32Array} y in map units, upwards
 * @property {Uint16Array} category a number among the names of the categories, or NO_CATEGORY
 * @property {Uint8Array} value the percentile of the measure in VALUE_STEPS steps, higher: less to be trusted, or NO_VALUE
 * @property {number[]} box [xMin, xMax, yMin, yMax]
 */

// The wire; the same names and numbers as in url_viz/ui/points.py.
const HEADER_BYTES = 32;
const BYTES_PER_POINT = 15;
const COORDINATE_STEPS = 65535;
export const VALUE_STEPS = 254;
export const NO_VALUE = 255;
export const NO_CATEGORY = 65535;

/**
 * @param {ArrayBuffer} buffer
 * @returns {Points} whose ids, categories and values lie in the buffer itself
 * @throws {Error} if the bytes are no points
 */
export function decodePoints(buffer) {
  const header = new DataView(buffer, 0, Math.min(HEADER_BYTES, buffer.byteLength));
  const isOurs = buffer.byteLength >= HEADER_BYTES && header.getUint32(0) === 0x55564d32; // "UVM2"
  const n = isOurs ? header.getUint32(4, true) : 0;
  if (!isOurs || buffer.byteLength !== HEADER_BYTES + BYTES_PER_POINT * n)
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
  return { n, ids, x, y, category: block(Uint16Array), value: block(Uint8Array), box: [xMin, xMax, yMin, yMax] };
}

/** @type {Points} */
export const NO_POINTS = decodePoints(new Uint8Array([0x55, 0x56, 0x4d, 0x32, ...new Array(28).fill(0)]).buffer);

/**
 * @param {ArrayBuffer} buffer a mask
 * @param {Pick<Points, "n" | "ids">} points
 * @returns {Uint8Array | null} for each point whether it passes the filter (1) or not (0); null if the mask is for other points
 */
export function keptOf(buffer, { n, ids }) {
  const header = new DataView(buffer, 0, Math.min(16, buffer.byteLength));
  if (buffer.byteLength < 16 || header.getUint32(0) !== 0x55564231) return null; // "UVB1"
  if (header.getUint32(4, true) !== n || buffer.byteLength !== 16 + ((n + 7) >> 3)) return null;
  const halves = new Int32Array(ids.buffer, ids.byteOffset, 2 * n);
  let [low, high] = [0, 0];
  for (let i = 0; i < 2 * n; i += 2) ([low, high] = [low ^ halves[i], high ^ halves[i + 1]]);
  if (header.getInt32(8, true) !== low || header.getInt32(12, true) !== high) return null;
  const bits = new Uint8Array(buffer, 16);
  return Uint8Array.from({ length: n }, (_, i) => (bits[i >> 3] >> (i & 7)) & 1);
}
