// What a component drew stays while its root is in the page, whatever Streamlit calls in which order.

import assert from "node:assert/strict";
import { test } from "node:test";

import { newMounts } from "../../url_viz/frontend/shared/mounts.js";

function page() {
  const ended = [];
  const element = { isConnected: true };
  const root = { element, querySelector: () => root.element };
  const show = newMounts(
    ".x",
    (made) => ({ element: made }),
    (drawn) => ended.push(drawn),
  );
  return { ended, element, root, show: () => show({ parentElement: root }) };
}

test("a call that was overtaken ends nothing, whether it is told before the next one or after", () => {
  const { ended, show } = page();
  const first = show();
  assert.ok(first.isNew);
  first.leave();
  const second = show();
  assert.equal(second.drawn, first.drawn);
  assert.ok(!second.isNew);
  first.leave();
  assert.deepEqual(ended, []);
});

test("once the root has left the page all ends, once", () => {
  const { ended, element, show } = page();
  const first = show();
  const second = show();
  element.isConnected = false;
  second.leave();
  first.leave();
  assert.deepEqual(ended, [first.drawn]);
});

test("another element in the same root is drawn anew, and the one before ends", () => {
  const { ended, element, root, show } = page();
  const first = show();
  root.element = { isConnected: true };
  const second = show();
  assert.ok(second.isNew);
  assert.deepEqual(ended, [first.drawn]);
  element.isConnected = false;
  first.leave();
  assert.deepEqual(ended, [first.drawn], "the one that is there stays");
});
