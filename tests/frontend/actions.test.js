// The queue of unconfirmed actions: numbers, confirmation, undo and redo.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Actions } from "../../url_viz/frontend/shared/actions.js";
import { DECISIONS, DECISION_OF_KEY } from "../../url_viz/frontend/shared/decisions.js";

const numbers = (waiting) => waiting.map(({ sequence }) => sequence);
const rises = (list) => list.every((number, i) => i === 0 || number > list[i - 1]);

test("numbers rise, also within a millisecond, and over the queues of a page", () => {
  const [one, other] = [new Actions(), new Actions()];
  const sent = Array.from({ length: 50 }, (_, i) => (i % 2 ? one : other).add({ id: String(i) }).at(-1).sequence);
  assert.ok(rises(sent));
  assert.ok(sent[0] >= Date.now() - 60_000); // above those of the page before a reload
});

test("an action is sent with all before it until it is confirmed", () => {
  const actions = new Actions();
  for (const id of ["a", "b", "c"]) actions.add({ id, decision: "keep" });
  const before = actions.waiting;
  const [first, second, third] = numbers(before);
  actions.taken(first - 1);
  assert.deepEqual(numbers(actions.waiting), [first, second, third]);
  actions.taken(second);
  assert.deepEqual(actions.waiting.map(({ id }) => id), ["c"]);
  assert.deepEqual(actions.add({ id: "d", decision: null }).map(({ id }) => id), ["c", "d"]);
  assert.equal(before.length, 3, "what was sent stays as it was sent");
  actions.taken(0);
  assert.equal(actions.waiting.length, 2);
});

const decidedAfter = (...done) => {
  const actions = new Actions();
  for (const one of done)
    if (one === "undo" || one === "redo") actions.add({ command: one });
    else actions.add({ id: one[0], decision: one[1] });
  return Object.fromEntries(actions.decided);
};

test("the last decision on a picture holds", () => {
  assert.deepEqual(decidedAfter(["a", "keep"], ["b", "drop"], ["a", null]), { a: null, b: "drop" });
});

test("what the server has handled is told once, without what waits still", () => {
  const actions = new Actions();
  for (const id of ["a", "b", "c"]) actions.add({ id, decision: "drop" });
  const [, second] = numbers(actions.waiting);
  assert.deepEqual(Object.fromEntries(actions.taken(second)), { a: "drop", b: "drop" });
  assert.deepEqual(Object.fromEntries(actions.taken(second)), {});
  assert.deepEqual(Object.fromEntries(actions.decided), { c: "drop" });
});

test("undo and redo are those of a list of what was done", () => {
  assert.deepEqual(decidedAfter(["a", "keep"], ["a", "drop"], "undo"), { a: "keep" });
  assert.deepEqual(decidedAfter(["a", "keep"], ["b", "drop"], "undo", "undo", "redo"), { a: "keep" });
  assert.deepEqual(decidedAfter(["a", "keep"], ["b", "drop"], "undo", "undo", "redo", "redo"), { a: "keep", b: "drop" });
  assert.deepEqual(decidedAfter(["a", "keep"], "undo", ["b", "drop"], "redo"), { b: "drop" });
});

test("what was done before the queue is for the server to undo", () => {
  assert.deepEqual(decidedAfter("undo", ["a", "keep"], "undo", "undo"), {});
  assert.deepEqual(decidedAfter("redo", ["a", "keep"]), { a: "keep" });
});

test("every decision has a word, a key of its own and an icon", () => {
  assert.deepEqual(DECISION_OF_KEY, { k: "keep", d: "drop", l: "look-again" });
  for (const { word, path } of Object.values(DECISIONS)) assert.ok(word && path);
});
