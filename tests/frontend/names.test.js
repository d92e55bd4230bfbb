// Names on the map and the legend of categories: where they stand, which have room, what a click chooses.

import assert from "node:assert/strict";
import { test } from "node:test";
import { countsOf, firstOf, found, toggled } from "../../url_viz/frontend/map/categories.js";
import { categoryColour } from "../../url_viz/frontend/map/colours.js";
import { NO_CATEGORY } from "../../url_viz/frontend/map/decode.js";
import { anchorsOf, crowdIn, placed } from "../../url_viz/frontend/map/names.js";
import { View } from "../../url_viz/frontend/map/view.js";

const pointsOf = (places, category) => ({
  n: places.length,
  x: Float32Array.from(places, ([x]) => x),
  y: Float32Array.from(places, ([, y]) => y),
  category: Uint16Array.from(category),
  box: [0, 100, 0, 50],
});

test("a name stands in the thick of its class, not between its two heaps", () => {
  const heap = Array.from({ length: 30 }, (_, i) => [10 + (i % 5) * 0.1, 20 + (i % 7) * 0.1]);
  const points = pointsOf([...heap, [90, 40], [91, 41], [50, 25]], [...heap.map(() => 1), 1, 1, 0]);
  const anchors = anchorsOf(points, new Int8Array(points.n).fill(2), ["lone", "heap"]);
  assert.deepEqual(anchors.map(({ text, count }) => [text, count]), [["heap", 32], ["lone", 1]]);
  assert.ok(Math.abs(anchors[0].x - 10.2) < 0.1 && Math.abs(anchors[0].y - 20.3) < 0.1);
  assert.deepEqual([anchors[1].x, anchors[1].y], [50, 25]);
});

test("a small class is named among its pictures, not at one that lies far away, though none share a cell", () => {
  const heap = Array.from({ length: 15 }, (_, i) => [60 + (i % 4) * 2.5, 10 + Math.floor(i / 4) * 2.5]);
  const places = [[5, 45], ...heap];
  const [{ x, y }] = anchorsOf(pointsOf(places, places.map(() => 0)), new Int8Array(places.length).fill(2), ["lemon"]);
  assert.ok(x > 60 && x < 68 && y > 10 && y < 18, `${x}, ${y}`);
});

test("dimmed pictures, and those without a class, name nothing", () => {
  const points = pointsOf([[1, 1], [2, 2], [3, 3]], [0, 1, NO_CATEGORY]);
  assert.deepEqual(anchorsOf(points, Int8Array.of(2, -1, 2), ["a", "b"]).map(({ text }) => text), ["a"]);
  assert.deepEqual(anchorsOf(points, Int8Array.of(-1, -1, -1), ["a", "b"]), []);
});

const viewOf = (zoom = 1) => Object.assign(new View(), { width: 800, height: 400, box: [0, 100, 0, 50], x: 50, y: 25, zoom, few: false });
const anchor = (text, x, y) => ({ text, count: 1, x, y, category: 0 });
const widthOf = (text) => 7 * text.length;

test("no name lies over another, the first has room first, and zooming in makes room for more", () => {
  let seed = 5;
  const dice = (most) => ((seed = (seed * 16807) % 2147483647) / 2147483647) * most;
  const anchors = Array.from({ length: 60 }, (_, i) => anchor(`name number ${i}`, 40 + dice(20), 20 + dice(10)));
  const shown = placed(anchors, viewOf(), widthOf);
  assert.equal(shown[0].anchor, anchors[0]);
  for (const one of shown)
    for (const other of shown)
      if (one !== other) {
        const [a, b] = [one.box, other.box];
        assert.ok(a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1], `${one.text} and ${other.text}`);
      }
  assert.ok(placed(anchors, viewOf(3), widthOf).length > shown.length);
});

test("names leave neither the map nor lie under its tools, and long ones are cut", () => {
  const shown = placed([anchor("left", -10, 25), anchor("tools", 105, 45), anchor("x".repeat(60), 50, 25)], viewOf(), widthOf);
  assert.deepEqual(shown.map(({ text }) => text), ["tools", `${"x".repeat(14)}…${"x".repeat(13)}`]);
  assert.ok(shown[0].box[2] < 800 - 50, "beside the tools that cover its place");
});

test("boxes count the points under them, with their radius, and dimmed ones never", () => {
  const points = pointsOf([[50, 25], [50.5, 25], [60, 25]], [0, 0, 0]);
  const [view, full] = [viewOf(), Int8Array.of(2, 2, 2)];
  const [left, top] = view.toStage(50, 25);
  const around = [left - 8, top - 8, left + 8, top + 8];
  assert.equal(crowdIn(points, full, view, 2)(around), 2);
  assert.equal(crowdIn(points, Int8Array.of(2, -1, 2), view, 2)(around), 1);
  assert.equal(crowdIn(points, full, view, 2)([left + 12, top - 8, left + 40, top + 8]), 0);
  assert.equal(crowdIn(points, full, view, 20)([left + 12, top - 8, left + 40, top + 8]), 2);
  assert.equal(crowdIn(points, full, view, 2)([-500, -500, -400, -400]), 0);
});

test("a name stands beside its points where there is room, else at its place", () => {
  const heap = Array.from({ length: 9 }, (_, i) => [50 + (i % 3) * 0.6, 25 + Math.floor(i / 3) * 0.6]);
  const points = pointsOf(heap, heap.map(() => 0));
  const view = viewOf();
  const crowdOf = crowdIn(points, new Int8Array(points.n).fill(2), view, 4);
  const [one] = placed([anchor("heap", 50.6, 25.6)], view, widthOf, { crowdOf });
  assert.equal(crowdOf(one.box), 0);
  const [left, top] = view.toStage(50.6, 25.6);
  const away = Math.hypot(Math.max(0, one.box[0] - left, left - one.box[2]), Math.max(0, one.box[1] - top, top - one.box[3]));
  assert.ok(away > 0 && away < 50, `${away} pixels from its place`);
  const [full] = placed([anchor("heap", 50.6, 25.6)], view, widthOf, { crowdOf: () => 100 });
  assert.deepEqual([(full.box[0] + full.box[2]) / 2, (full.box[1] + full.box[3]) / 2], [left, top]);
});

test("no name lies under a picture", () => {
  const view = viewOf();
  const [left, top] = view.toStage(50, 25);
  const covered = [[left - 20, top - 20, left + 20, top + 20]];
  const [one] = placed([anchor("under", 50, 25)], view, widthOf, { covered });
  assert.ok(one.box[0] >= left + 20 || one.box[2] <= left - 20 || one.box[1] >= top + 20 || one.box[3] <= top - 20);
});

test("the legend begins with what is chosen, then the largest", () => {
  const counts = countsOf({ category: Uint16Array.of(3, 3, 0, NO_CATEGORY, 99, 1, 1, 1) }, 4);
  assert.deepEqual([...counts], [1, 3, 0, 2]);
  const many = Uint32Array.from({ length: 30 }, (_, i) => i);
  assert.deepEqual(firstOf(many, []), [22, 23, 24, 25, 26, 27, 28, 29]);
  assert.deepEqual(firstOf(many, [0, 5]), [0, 5, 24, 25, 26, 27, 28, 29]);
  assert.equal(firstOf(many, [...many.keys()].slice(0, 20)).length, 20);
});

test("a search finds each word anywhere, in any case", () => {
  const names = ["Arla milk", "God Morgon apple juice", "pineapple"];
  assert.deepEqual(found(names, "APPLE"), [1, 2]);
  assert.deepEqual(found(names, "juice god"), [1]);
  assert.deepEqual(found(names, " "), [0, 1, 2]);
  assert.deepEqual(found(names, "beer"), []);
});

test("a click chooses one alone, with Ctrl besides the others, once more no longer", () => {
  assert.deepEqual(toggled([], 3, false), [3]);
  assert.deepEqual(toggled([3], 3, false), []);
  assert.deepEqual(toggled([3], 5, false), [5]);
  assert.deepEqual(toggled([3, 5], 3, false), [3]);
  assert.deepEqual(toggled([3], 1, true), [1, 3]);
  assert.deepEqual(toggled([1, 3], 1, true), [3]);
});

test("chosen classes have colours of their own, however many there are", () => {
  const theme = { isDark: false, ink: 0, background: 0xffffff };
  const chosen = [7, 15, 23, 31, 39, 47, 55, 63];
  const colours = chosen.map((index) => categoryColour(index, theme, [], chosen));
  assert.equal(new Set(colours).size, 8);
  assert.ok(new Set(chosen.map((index) => categoryColour(index, theme, []))).size < 8);
});
