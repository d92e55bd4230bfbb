// A group with one Tab stop: where its keys lead.

import assert from "node:assert/strict";
import { test } from "node:test";
import { placeAfter } from "../../url_viz/frontend/shared/roving.js";

test("arrows go round, Home and End to the ends, and other keys nowhere", () => {
  assert.equal(placeAfter("ArrowDown", 0, 3), 1);
  assert.equal(placeAfter("ArrowRight", 2, 3), 0);
  assert.equal(placeAfter("ArrowUp", 0, 3), 2);
  assert.equal(placeAfter("End", 0, 3), 2);
  assert.equal(placeAfter("Home", 2, 3), 0);
  assert.equal(placeAfter("k", 0, 3), null);
  assert.equal(placeAfter("ArrowDown", 0, 0), null);
});
