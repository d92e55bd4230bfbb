// Part of the map component: the decoder of points (layout: url_viz/ui/points.py), and the nearest-point grid.

// The wire; the same names and numbers as in url_viz/ui/points.py.
const HEADER_BYTES = 32;
const BYTES_PER_POINT = 15;
const COORDINATE_STEPS = 65535;
const VALUE_STEPS = 254;
const NO_VALUE = 255;
const NO_CATEGORY = 65535;

const POINTS_PER_CELL = 4;

// Each point's id, place, `value` (the percentile of the measure, in steps), and `category`.
function decodePoints(buffer) {
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

const NO_POINTS = decodePoints(new Uint8Array([0x55, 0x56, 0x4d, 0x32, ...new Array(28).fill(0)]).buffer);

// The points that pass a filter (1) or not (0); null if the mask is for other points.
function keptOf(buffer, { n, ids }) {
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

// A grid over the points, their rows sorted by cell, so that a pointer move compares only a few points.
function gridOf({ n, x, y, box: [xMin, xMax, yMin, yMax] }) {
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

// The row of the nearest shown point to (x, y), within `reach` in map units; -1 for none.
function nearestRow(points, grid, { x, y, reach, isShown }) {
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
