// What is announced: on each subject what differs from what was said of it last.

import assert from "node:assert/strict";
import { test } from "node:test";
import { heard } from "../../url_viz/frontend/announcer/heard.js";

test("words are said once, until others were said on the subject", () => {
  const first = heard({}, { explore: "40 pictures", job: "" });
  assert.deepEqual(first.said, ["40 pictures"]);
  const again = heard(first.now, { explore: "40 pictures" });
  assert.deepEqual(again.said, []);
  const other = heard(again.now, { explore: "20 of 40 pictures", search: "24 similar pictures" });
  assert.deepEqual(other.said, ["20 of 40 pictures", "24 similar pictures"]);
  assert.deepEqual(heard(heard(other.now, {}).now, { explore: "20 of 40 pictures" }).said, [], "not drawn meanwhile");
});
