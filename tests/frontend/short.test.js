// Long names, cut in their middle.

import assert from "node:assert/strict";
import { test } from "node:test";
import { endsOf, shortened } from "../../url_viz/frontend/shared/short.js";

test("a long name loses its middle, and names that differ at their end still differ", () => {
  assert.equal(shortened("kiwi", 4), "kiwi");
  assert.equal(shortened("abcdefghij", 6), "abc…ij");
  const names = ["god-morgon-orange-juice", "god-morgon-red-grapefruit-juice"].map((name) => shortened(name, 16));
  assert.deepEqual(names.map((name) => name.length), [16, 16]);
  assert.notEqual(shortened("sorting-tray-left", 12), shortened("sorting-tray-right", 12));
});

test("the end of a name is always shown", () => {
  assert.deepEqual(endsOf("IMG_20240101_0001.jpg", 10), ["IMG_2024010", "1_0001.jpg"]);
  assert.deepEqual(endsOf("kiwi", 6), ["", "kiwi"]);
  assert.equal(endsOf("wheaten terrier", 6).join(""), "wheaten terrier");
});
