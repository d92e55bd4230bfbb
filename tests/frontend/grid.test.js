// The grid: where its tiles lie, what is chosen, how high it is, and what it asks the server for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Choice } from "../../url_viz/frontend/grid/choice.js";
import { detailOf, layoutOf, placeOf, seenOf, stepOf } from "../../url_viz/frontend/grid/layout.js";
import { Source } from "../../url_viz/frontend/grid/source.js";
import { Decider } from "../../url_viz/frontend/shared/decider.js";
import { fittingHeight } from "../../url_viz/frontend/shared/fit.js";

const layout = (of) => layoutOf({ width: 500, sizePx: 110, count: 1000, longestQuestion: 0, hasLabels: false, ...of });

test("tiles fill the width, are at least as wide as asked for, and lie in no other's way", () => {
  const { columns, tilePx, rowPx, heightPx } = layout({});
  assert.equal(columns, 4); // 4 · 110 + 3 · 12 = 476, five would be 598
  assert.equal(tilePx, 116); // (500 − 36) / 4
  assert.equal(heightPx, 250 * rowPx - 12);
  const [one, next, below] = [0, 1, 4].map((at) => placeOf(layout({}), at));
  assert.deepEqual(one, { x: 0, y: 0 });
  assert.deepEqual(next, { x: 128, y: 0 });
  assert.deepEqual(below, { x: 0, y: rowPx });
});

test("small tiles have no words, smaller ones no values", () => {
  assert.deepEqual([60, 91, 92, 95, 96, 300].map(detailOf), ["none", "none", "value", "value", "all", "all"]);
  const small = layout({ sizePx: 60 });
  assert.equal(small.rowPx, small.tilePx + 12);
  assert.ok(layout({ longestQuestion: 20, hasLabels: true }).rowPx > layout({ hasLabels: true }).rowPx);
});

test("a window narrower than a tile has one column", () => {
  assert.equal(layout({ width: 50, sizePx: 300 }).columns, 1);
  assert.equal(layout({ width: 50, sizePx: 300 }).tilePx, 50);
});

test("no grid is higher than browsers draw", () => {
  const { heightPx, count } = layout({ width: 300, sizePx: 300, count: 1_000_000 });
  assert.ok(heightPx <= 30_000_000);
  assert.ok(count < 1_000_000 && count > 50_000);
});

test("what is seen are whole rows, and a naive search finds no other tile in sight", () => {
  const of = layout({ count: 203 });
  for (const [top, height] of [[0, 400], [777, 333], [6000, 400], [0, 0]]) {
    const [from, to] = seenOf(of, { top, height });
    const isSeen = (at) => placeOf(of, at).y < top + height && placeOf(of, at).y + of.rowPx > top;
    const naive = Array.from({ length: 203 }, (_, at) => at).filter(isSeen);
    assert.ok(naive.every((at) => at >= from && at < to), `${top} ${height}`);
    assert.ok(to - from <= naive.length + of.columns);
  }
  assert.deepEqual(seenOf(of, { top: 0, height: 100 }, 2), [0, 12]);
});

test("keys lead on, and stop at the ends", () => {
  const of = layout({ count: 10 }); // rows of 4
  const to = (key, at) => stepOf(key, at, of, 2);
  assert.deepEqual(["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp"].map((key) => to(key, 5)), [6, 4, 9, 1]);
  assert.deepEqual([to("ArrowDown", 7), to("ArrowUp", 2), to("ArrowLeft", 0), to("ArrowRight", 9)], [7, 2, 0, 9]);
  assert.deepEqual([to("Home", 7), to("End", 2), to("PageDown", 1), to("PageUp", 5)], [0, 9, 9, 0]);
  assert.equal(to("k", 3), null);
});

const ORDER = [..."abcdefgh"];

test("one by one, a range, all, none", () => {
  const choice = new Choice();
  choice.toggle("b");
  choice.reach(ORDER, "d");
  assert.deepEqual([...choice.ids], ["b", "c", "d"]);
  choice.toggle("c");
  assert.deepEqual(choice.rangesIn(ORDER), [[1, 2], [3, 4]]);
  choice.reach(ORDER, "a"); // from c, which was toggled last
  assert.deepEqual(choice.rangesIn(ORDER), [[0, 4]]);
  choice.addAll(ORDER);
  assert.deepEqual(choice.rangesIn(ORDER), [[0, 8]]);
  choice.clear();
  assert.equal(choice.size, 0);
  choice.reach(ORDER, "f", "e"); // without an anchor, from where the keyboard is
  assert.deepEqual(choice.rangesIn(ORDER), [[4, 6]]);
});

test("ranges are those of a naive list, whatever is chosen", () => {
  let seed = 7;
  const dice = () => (seed = (seed * 16807) % 2147483647) % 2;
  for (let trial = 0; trial < 200; trial++) {
    const choice = new Choice();
    for (const id of ORDER) if (dice()) choice.toggle(id);
    const named = choice.rangesIn(ORDER).flatMap(([from, to]) => ORDER.slice(from, to));
    assert.deepEqual(named, ORDER.filter((id) => choice.has(id)));
  }
});

test("what is no longer shown is no longer chosen", () => {
  const choice = new Choice();
  choice.addAll(ORDER);
  assert.equal(choice.keepOnly([["a", "b"], ["h"]]), true);
  assert.deepEqual([...choice.ids], ["a", "b", "h"]);
  assert.equal(choice.keepOnly([["a", "b"], ["h"]]), false);
});

test("a grid ends with the window; on a narrow one it takes its share", () => {
  const high = (top, windowHeight, windowWidth) =>
    fittingHeight({ top, windowHeight, windowWidth }, { least: 380, share: 0.8 });
  assert.equal(high(300, 900, 1440), 580);
  assert.equal(high(800, 900, 1440), 380);
  assert.equal(high(300, 1000, 420), 800);
});

test("a decision on many marks all of them, and undo takes it back from all", () => {
  const decider = new Decider();
  const sent = decider.decide(["a", "b"], "drop", { chosen: [{ order: "o", ranges: [[0, 2]] }] }, "b");
  assert.deepEqual(Object.keys(sent[0]).sort(), ["chosen", "decision", "sequence"]);
  decider.decide(["c"], "keep", { id: "c" }, "c");
  assert.deepEqual(Object.fromEntries(decider.decided), { a: "drop", b: "drop", c: "keep" });
  assert.equal(decider.command("undo").id, "c");
  assert.equal(decider.command("undo").id, "b");
  assert.deepEqual(Object.fromEntries(decider.decided), {});
  assert.equal(decider.command("redo").id, "b");
  assert.deepEqual(Object.fromEntries(decider.decided), { a: "drop", b: "drop" });
});

const tile = (id) => ({ id: String(id), name: `${id}.jpg` });
const until = async (isDone) => {
  for (let i = 0; i < 200 && !isDone(); i++) await new Promise((done) => setTimeout(done, 5));
  assert.ok(isDone());
};

function serve(context, total) {
  const asked = [];
  context.mock.method(globalThis, "fetch", async (url, { signal }) => {
    asked.push(url);
    signal.throwIfAborted();
    if (url.startsWith("/order")) return new Response(BigInt64Array.from({ length: total }, (_, i) => BigInt(i)));
    if (url.startsWith("/broken")) return new Response("Not found. Reload the page.", { status: 404 });
    const [from, to] = url.match(/\d+/g).map(Number);
    return Response.json(Array.from({ length: Math.min(to, total) - from }, (_, i) => tile(from + i)));
  });
  return asked;
}

const pane = (more) => ({
  order: "o", order_url: "/order/o", tiles_url: "/tiles/{from}/{to}", total: 300, first: [0, 1, 2].map(tile), ...more,
});

test("the first tiles come with the page, ids and other tiles when they are needed, once", async (context) => {
  const asked = serve(context, 300);
  const source = new Source(() => {});
  source.update(pane());
  assert.deepEqual(source.ids, ["0", "1", "2"]);
  await until(() => source.isComplete);
  assert.equal(source.ids.length, 300);
  source.need(70, 130);
  source.need(70, 130);
  await until(() => source.tiles.has("130"));
  assert.deepEqual(asked, ["/order/o", "/tiles/60/120", "/tiles/120/180"]);
  assert.ok(!source.tiles.has("59"));
});

test("another version of the tiles is fetched again, and the old ones stand until it is there", async (context) => {
  const asked = serve(context, 300);
  const source = new Source(() => {});
  source.update(pane());
  await until(() => source.isComplete);
  source.need(60, 61);
  await until(() => source.tiles.has("60"));
  source.update(pane({ tiles_url: "/later/{from}/{to}" }));
  assert.ok(source.tiles.has("60"));
  source.need(60, 61);
  await until(() => asked.at(-1) !== "/tiles/60/120");
  assert.equal(asked.filter((url) => url.startsWith("/order")).length, 1, "the order is the same");
});

test("a server that refuses is quoted", async (context) => {
  serve(context, 300);
  const source = new Source(() => {});
  source.update(pane({ order_url: "/broken" }));
  await until(() => source.failure);
  assert.equal(source.failure, "Not found. Reload the page.");
});
