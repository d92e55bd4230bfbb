// The box on a picture searched with: drawn in any direction, and typed.

import assert from "node:assert/strict";
import { test } from "node:test";

import { boxBetween, boxOf } from "../../url_viz/frontend/part/box.js";

test("a box lies between two corners in any direction, inside the picture", () => {
  assert.deepEqual(boxBetween([0.1, 0.2], [0.5, 0.8]), [0.1, 0.2, 0.4, 0.6]);
  assert.deepEqual(boxBetween([0.5, 0.2], [0.1, 0.8]), [0.1, 0.2, 0.4, 0.6]);
  assert.deepEqual(boxBetween([0.5, 0.5], [1.4, -0.3]), [0.5, 0, 0.5, 0.5]);
  assert.equal(boxBetween([0.5, 0.5], [0.504, 0.9]), null, "a click");
  assert.equal(boxBetween([1.2, 0], [1.5, 1]), null, "beside the picture");
});

test("a box is typed in percent", () => {
  assert.deepEqual(boxOf(["10", "20", "40", "60.5"]), [0.1, 0.2, 0.4, 0.605]);
  assert.deepEqual(boxOf(["80", "0", "40", "100"]), [0.8, 0, 0.2, 1]);
  assert.equal(boxOf(["80", "", "40", "100"]), null);
});
