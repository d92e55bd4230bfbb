// The view: zoom and pan arithmetic.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LEAST_ZOOM, MOST_ZOOM, View, haveMoved, placesOf } from "../../url_viz/frontend/map/view.js";

function viewOf(box, { width = 800, height = 600, n = 100 } = {}) {
  const view = new View().adopt({ n, box });
  view.resize(width, height);
  return view;
}
const close = (got, wanted) => got.forEach((part, i) => assert.ok(Math.abs(part - wanted[i]) < 1e-9, `${got} is not ${wanted}`));

test("everything fits, y upwards, on one scale for both axes", () => {
  const view = viewOf([0, 10, -1, 1]); // 800 - 2 * 32 over 10 units; the height would allow more
  assert.equal(view.scale, 73.6);
  close(view.toStage(5, 0), [400, 300]);
  close(view.toStage(0, 1), [32, 226.4]);
  close(view.toMap(768, 373.6), [10, -1]);
});

test("a narrow stage leaves room for the toolbar on the right", () => {
  const view = viewOf([0, 1, 0, 1], { width: 400, height: 900 });
  assert.ok(view.toStage(1, 0)[0] <= 400 - 46 - 31.9);
  assert.ok(view.toStage(0, 0)[0] >= 31.9);
});

test("points at one place, and none at all, have a view", () => {
  for (const box of [[3, 3, 4, 4], [0, 0, 0, 0]]) {
    const view = viewOf(box, { n: 1 });
    close(view.toStage(box[0], box[2]), [400, 300]);
    assert.ok(Number.isFinite(view.scale) && view.scale > 0);
  }
});

test("zooming keeps the place under the pointer, within bounds, and back again is where it was", () => {
  const view = viewOf([0, 10, 0, 10]);
  for (const factor of [1.4, 1 / 1.4, 1e6, 1e-6]) {
    const before = view.toMap(123, 456);
    Object.assign(view, view.zoomed(factor, 123, 456));
    close(view.toMap(123, 456), before);
    assert.ok(view.zoom <= MOST_ZOOM && view.zoom >= LEAST_ZOOM);
  }
  Object.assign(view, view.whole());
  const there = Object.assign(new View(), view, view.zoomed(2, 10, 20));
  const back = there.zoomed(0.5, 10, 20);
  close([back.x, back.y, back.zoom], [view.x, view.y, 1]);
});

test("panning moves the map by as many pixels", () => {
  const view = viewOf([0, 10, 0, 10]);
  Object.assign(view, view.zoomed(3));
  const [left, top] = view.toStage(2, 7);
  Object.assign(view, view.panned(30, -12));
  close(view.toStage(2, 7), [left + 30, top - 12]);
});

test("a view that nobody moved shows everything of new points and of another stage", () => {
  const view = viewOf([0, 10, 0, 10]);
  view.adopt({ n: 100, box: [100, 300, 5, 6] });
  close([view.x, view.y, view.zoom], [200, 5.5, 1]);
  view.resize(1000, 300);
  close(view.toStage(200, 5.5), [500, 150]);
});

test("a moved view keeps its map coordinates while the map grows a little", () => {
  const view = viewOf([0, 10, 0, 10]);
  Object.assign(view, view.zoomed(4), { moved: true });
  const { x, y, scale } = view;
  view.adopt({ n: 120, box: [0, 11, -1, 10] });
  close([view.x, view.y, view.scale], [x, y, scale]);
});

test("a moved view keeps its framing on another map", () => {
  const view = viewOf([0, 10, 0, 10]);
  Object.assign(view, { x: 2, y: 9, zoom: 4, moved: true });
  view.adopt({ n: 100, box: [1000, 2000, 0, 1] });
  close([view.x, view.y, view.zoom], [1200, 0.9, 4]);
});

test("places are those of the stage, by id", () => {
  const view = viewOf([0, 10, 0, 10]);
  const points = { n: 2, ids: BigInt64Array.of(7n, -1n), x: [5, 0], y: [5, 10] };
  assert.deepEqual([...placesOf(points, view)], [[7n, [400, 300]], [-1n, view.toStage(0, 10)]]);
});

test("a map computed again is known by points that moved, not by more points, a box that grew, or strangers", () => {
  const of = (ids, x, y, box = [0, 10, 0, 10]) => ({ ids: BigInt64Array.from(ids), x, y, box });
  const before = of([7n, 8n], [5, 0], [5, 10]);
  const step = 20 / 65535;
  assert.ok(!haveMoved(before, before));
  assert.ok(!haveMoved(before, of([9n, 8n, 7n], [1, step, 5 - step], [1, 10, 5], [0, 20, 0, 10])));
  assert.ok(!haveMoved(before, of([9n], [1], [1])));
  assert.ok(!haveMoved(of([], [], []), before));
  assert.ok(haveMoved(before, of([8n, 7n], [0, 5], [10, 5.01])));
});
