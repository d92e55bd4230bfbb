// The map's decoder reads the bytes that Python writes: test_frontend.py hands them over in the file URL_VIZ_WRITTEN.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { NO_CATEGORY, NO_POINTS, NO_VALUE, VALUE_STEPS, decodePoints, keptOf } from "../../url_viz/frontend/map/decode.js";

const path = process.env.URL_VIZ_WRITTEN;
const skip = path ? false : "Python has written nothing to read: run `pytest tests/frontend`";
const { sets } = path ? JSON.parse(readFileSync(path, "utf-8")) : { sets: [] };
const bytesOf = (text) => Uint8Array.from(Buffer.from(text, "base64")).buffer;
const near = (a, b, step) => Math.abs(a - b) <= step / 2 + 1e-5;

test("there is something to read", { skip }, () => assert.deepEqual(sets.map(({ ids }) => ids.length), [0, 1, 2, 7, 8, 9, 1000]));

for (const { ids, x, y, value, category, points, mask, kept } of sets) {
  const n = ids.length;

  test(`${n} points come back within half a step`, () => {
    const decoded = decodePoints(bytesOf(points));
    assert.equal(decoded.n, n);
    assert.deepEqual([...decoded.ids].map(String), ids);
    const [xMin, xMax, yMin, yMax] = decoded.box;
    for (let i = 0; i < n; i++) {
      assert.ok(near(decoded.x[i], x[i], (xMax - xMin) / 65535), `x of ${i}: ${decoded.x[i]}, not ${x[i]}`);
      assert.ok(near(decoded.y[i], y[i], (yMax - yMin) / 65535), `y of ${i}: ${decoded.y[i]}, not ${y[i]}`);
      assert.equal(decoded.category[i], category[i] < 0 ? NO_CATEGORY : category[i]);
      if (value[i] === null) assert.equal(decoded.value[i], NO_VALUE);
      else assert.ok(near((decoded.value[i] * 100) / VALUE_STEPS, value[i], 100 / VALUE_STEPS));
      assert.equal(decoded.size[i], decoded.value[n - 1 - i]);
    }
  });

  test(`a mask of ${n} points comes back`, () => {
    assert.deepEqual([...keptOf(bytesOf(mask), decodePoints(bytesOf(points)))], kept);
  });

  test(`${n} points that are cut, longer or marked otherwise are refused`, () => {
    const whole = bytesOf(points);
    const longer = new Uint8Array(whole.byteLength + 1);
    longer.set(new Uint8Array(whole));
    for (const damaged of [whole.slice(0, -1), whole.slice(0, 20), whole.slice(0, 0), longer.buffer, bytesOf(mask)])
      assert.throws(() => decodePoints(damaged), { message: `${damaged.byteLength} bytes that are no points` });
  });
}

test("a mask of other points, or one that is cut or marked otherwise, is none", { skip }, () => {
  const { points, mask } = sets.at(-1);
  const decoded = decodePoints(bytesOf(points));
  assert.equal(keptOf(bytesOf(mask).slice(0, -1), decoded), null);
  assert.equal(keptOf(bytesOf(mask).slice(0, 10), decoded), null);
  assert.equal(keptOf(bytesOf(points), decoded), null);
  assert.equal(keptOf(bytesOf(sets.at(-2).mask), decoded), null);
  for (const half of [1n, 1n << 40n]) {
    const others = { n: decoded.n, ids: decoded.ids.map((id, i) => (i === 3 ? id ^ half : id)) };
    assert.equal(keptOf(bytesOf(mask), others), null, `an id that differs by ${half}`);
  }
});

test("no points are what the decoder reads from none", { skip }, () => assert.deepEqual(decodePoints(bytesOf(sets[0].points)), NO_POINTS));
