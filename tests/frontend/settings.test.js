// What a user sets in a component stays until Python has taken it; after that the page may change it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Settings } from "../../url_viz/frontend/shared/settings.js";

test("what was never set is the page's", () => {
  assert.ok(new Settings().isTaken("style", {}));
});

test("an answer that is late does not undo what was set since", () => {
  const settings = new Settings();
  const first = settings.tell("style", "fog");
  const second = settings.tell("style", "points");
  assert.deepEqual([first.value, second.value], ["fog", "points"]);
  assert.ok(first.sequence < second.sequence);
  assert.ok(!settings.isTaken("style", {}));
  assert.ok(!settings.isTaken("style", { style: first.sequence }));
  assert.ok(settings.isTaken("style", { style: second.sequence }));
  assert.ok(settings.isTaken("names", {}), "each setting by itself");
});
