// Strength, size and drawing order of points, and the nearest one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_CATEGORY, NO_VALUE } from "../../url_viz/frontend/map/decode.js";
import { gridOf, insideRows, nearestRow } from "../../url_viz/frontend/map/nearest.js";
import { CROWD, SIZES, colourOf, drawingOrder, opacityOf, sizeOf, strengthsOf } from "../../url_viz/frontend/map/points.js";
import { discOf, sizeAndOpacity } from "../../url_viz/frontend/map/raster.js";

// Numbers from 0 to below 1 that are the same every time (a linear congruential generator).
function dice(seed) {
  let state = seed;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

function pointsOf(values, { seed = 1 } = {}) {
  const roll = dice(seed);
  const ids = BigInt64Array.from(values, () => BigInt(Math.floor(roll() * 2 ** 53)));
  return { n: values.length, ids, value: Uint8Array.from(values), category: Uint16Array.from(values, (_, i) => i % 3) };
}
const full = (n) => new Int8Array(n).fill(2);
const ordered = (points, strength, options = { smallOnTop: false }) => [...drawingOrder(points, strength, options)];

test("few points are drawn from clear to ambiguous, those without a value first", () => {
  const points = pointsOf([200, 3, 0, NO_VALUE, 254, 3]);
  assert.deepEqual(ordered(points, full(6)), [3, 2, 1, 5, 0, 4]);
});

test("dimmed points lie below all others", () => {
  const points = pointsOf([200, 3, 254, 100]);
  assert.deepEqual(ordered(points, Int8Array.of(-1, 2, -1, 1)), [0, 2, 1, 3]);
});

test("small points lie on large ones, and those without a value are of the middle size", () => {
  const points = pointsOf([200, 3, NO_VALUE, 254, 127]);
  assert.deepEqual(ordered(points, full(5), { smallOnTop: true }), [3, 0, 2, 4, 1]);
});

test("a crowd is drawn in an order without regard to values, the most ambiguous hundredth on top, every point once", () => {
  const roll = dice(5);
  const points = pointsOf(Array.from({ length: CROWD + 1000 }, () => Math.floor(roll() * 255)));
  const order = ordered(points, full(points.n));
  assert.deepEqual([...order].sort((a, b) => a - b), [...order.keys()]);
  const top = order.filter((row) => points.value[row] >= 252).length;
  assert.ok(top > 20);
  assert.ok(order.slice(-top).every((row) => points.value[row] >= 252));
  const below = order.slice(0, -top);
  const mean = (rows) => rows.reduce((sum, row) => sum + points.value[row], 0) / rows.length;
  assert.ok(Math.abs(mean(below.slice(0, below.length / 2)) - mean(below.slice(below.length / 2))) < 10);
  assert.deepEqual(order, ordered(points, full(points.n)));
});

test("filters and the threshold give each point its strength", () => {
  const points = pointsOf([10, 200, NO_VALUE, 127]);
  const of = (more) => [...strengthsOf({ points, data: { colour: "value" }, threshold: null, kept: null, ...more })];
  assert.deepEqual(of({}), [2, 2, 2, 2]);
  assert.deepEqual(of({ threshold: 50 }), [1, 2, 2, 2]); // 127 of 254 steps is the threshold itself
  assert.deepEqual(of({ threshold: 50.1 }), [1, 2, 2, 1]);
  assert.deepEqual(of({ threshold: 50, data: { colour: "category" } }), [2, 2, 2, 2]);
  assert.deepEqual(of({ kept: Uint8Array.of(1, 0, 0, 1) }), [2, -1, -1, 2]);
  assert.deepEqual(of({ threshold: 50, data: { colour: "value", is_of_order: false } }), [2, 2, 2, 2]);
  assert.deepEqual([2, 1, -1].map(opacityOf), [1, 0.2, 0.55]);
});

test("colours are of the value or the category, and what has none is grey", () => {
  const theme = { missing: 1, ramp: Uint32Array.from({ length: 255 }, (_, step) => 1000 + step) };
  const points = { value: Uint8Array.of(0, 254, NO_VALUE), category: Uint16Array.of(1, NO_CATEGORY, 0) };
  const colours = (data) => [0, 1, 2].map((row) => colourOf(points, row, data, theme));
  assert.deepEqual(colours({ colour: "value" }), [1000, 1254, 1]);
  assert.deepEqual(colours({ colour: "category", category_colours: ["#010000", "#000002"] }), [0x020000, 1, 0x000001]);
});

test("sizes follow the value in even steps, and dimmed points have their own", () => {
  assert.deepEqual([0, 10, 11, 127, 254].map((value) => sizeOf(value, 2)), [0, 0, 1, 11, SIZES - 1]);
  assert.equal(sizeOf(NO_VALUE, 2), sizeOf(127, 2));
  assert.equal(sizeOf(254, -1), SIZES);
});

test("more points are smaller and fainter, a closer view draws them larger", () => {
  const stage = { width: 800, height: 600, zoom: 1 };
  const [few, many, close] = [sizeAndOpacity(100, stage), sizeAndOpacity(100_000, stage), sizeAndOpacity(100_000, { ...stage, zoom: 30 })];
  assert.ok(few.radius > many.radius && few.opacity > many.opacity);
  assert.ok(close.radius > many.radius && close.opacity > many.opacity);
});

test("a disc covers its area, and a soft one less of its edge", () => {
  const covered = ({ covers }) => covers.reduce((sum, cover) => sum + cover, 0) / 256;
  assert.ok(Math.abs(covered(discOf(6, 100)) / (Math.PI * 36) - 1) < 0.03);
  assert.ok(covered(discOf(6, 100, 1)) < 0.6 * covered(discOf(6, 100)));
  const { offsets, covers } = discOf(1, 100);
  assert.deepEqual([...offsets], [-101, -100, -99, -1, 0, 1, 99, 100, 101]);
  assert.equal(covers[4], 256);
});

test("the nearest shown point is the one that a search of all finds", () => {
  const roll = dice(3);
  for (const n of [1, 2, 50, 400]) {
    const x = Float32Array.from({ length: n }, () => 4 * roll() - 2);
    const y = Float32Array.from({ length: n }, () => 100 + roll());
    const points = { n, x, y, box: [Math.min(...x), Math.max(...x), Math.min(...y), Math.max(...y)] };
    const grid = gridOf(points);
    for (let asked = 0; asked < 200; asked++) {
      const from = { x: 5 * roll() - 2.5, y: 99.8 + 1.4 * roll(), reach: 0.4 * roll(), isShown: (row) => row % 3 !== 1 };
      const away = (row) => Math.hypot(x[row] - from.x, y[row] - from.y);
      const [nearest = -1] = [...x.keys()].filter((row) => from.isShown(row) && away(row) <= from.reach).sort((a, b) => away(a) - away(b));
      assert.equal(nearestRow(points, grid, from), nearest);
    }
  }
});

test("among no points, and among points at one place, a search ends", () => {
  const none = { n: 0, x: [], y: [], box: [0, 0, 0, 0] };
  const one = { n: 3, x: [5, 5, 5], y: [1, 1, 1], box: [5, 5, 1, 1] };
  assert.equal(nearestRow(none, gridOf(none), { x: 0, y: 0, reach: 9, isShown: () => true }), -1);
  assert.equal(nearestRow(one, gridOf(one), { x: 5.1, y: 1, reach: 0.2, isShown: (row) => row === 1 }), 1);
});

test("the rows inside a lasso are found by the even-odd rule", () => {
  const points = { n: 4, x: Float32Array.of(1, 3, 2, 9), y: Float32Array.of(1, 1, 3, 9) };
  const notched = [[0, 0], [4, 0], [4, 4], [2, 1.5], [0, 4]]; // the third point lies in the notch
  assert.deepEqual([...insideRows(points, notched)], [1, 1, 0, 0]);
  const twice = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0], [4, 0], [4, 4], [0, 4]];
  assert.deepEqual([...insideRows(points, twice)], [0, 0, 0, 0]);
});

test("outside the lasso points are faded, and dimmed if filters leave them out", () => {
  const points = pointsOf([200, 200, 200]);
  const data = { colour: "value" };
  const strength = strengthsOf({ points, data, threshold: null, kept: Uint8Array.of(1, 1, 0), inside: Uint8Array.of(1, 0, 0) });
  assert.deepEqual([...strength], [2, 1, -1]);
});
