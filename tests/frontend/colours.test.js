// The map's colours hold what they promise: order in grey, contrast with the page, categories that stay apart.

import assert from "node:assert/strict";
import { test } from "node:test";
import { RAMPS, categoryColour, cssOf, mixed, packed, rampOf } from "../../url_viz/frontend/map/colours.js";
import { HALO } from "../../url_viz/frontend/map/names.js";

const WHITE = 0xffffff;
const DARK = packed([14, 17, 23]);
const partsOf = (colour) => [0, 8, 16].map((bit) => (colour >> bit) & 255);

// Relative luminance and contrast as WCAG 2 defines them.
function luminance(colour) {
  const linear = partsOf(colour).map((part) => (part <= 10 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}
function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((one, other) => one - other);
  return (high + 0.05) / (low + 0.05);
}

test("a packed colour is red first, and CSS says the same", () => {
  assert.equal(packed([1, 2, 3]), 0x030201);
  assert.equal(cssOf(0x030201), "rgb(1 2 3)");
  assert.equal(mixed(packed([0, 100, 255]), packed([100, 0, 255]), 0.25), packed([25, 75, 255]));
});

for (const [name, page] of [["light", WHITE], ["dark", DARK]]) {
  const ramp = rampOf(RAMPS[name]);

  test(`the ${name} ramp has a colour for each step, and grows lighter with it, so that a grey print keeps the order`, () => {
    assert.equal(ramp.length, 255);
    for (let step = 16; step < ramp.length; step++) assert.ok(luminance(ramp[step]) > luminance(ramp[step - 16]), `at ${step}`);
  });

  test(`the ambiguous end of the ${name} ramp has contrast with the page`, () => {
    assert.ok(contrast(ramp.at(-1), page) >= 2.9, `${contrast(ramp.at(-1), page)}`);
  });
}

test("names on the map are read on every colour, through the page's colour around their letters", () => {
  for (const [name, page, ink] of [["light", WHITE, packed([16, 21, 31])], ["dark", DARK, packed([231, 234, 240])]]) {
    const theme = { isDark: name === "dark", ink, background: page };
    const points = [...rampOf(RAMPS[name]), ...Array.from({ length: 24 }, (_, i) => categoryColour(i, theme))];
    for (const point of points) assert.ok(contrast(ink, mixed(point, page, HALO)) >= 4.5, `${name} on ${cssOf(point)}`);
  }
});

test("the ramp begins and ends with the colours it is given, at an even pace", () => {
  const grey = rampOf([0, 0.5, 1].map((lightness) => [lightness, 0, 0]));
  assert.deepEqual([grey[0], grey.at(-1)], [0, WHITE]);
  assert.equal(grey[127], packed([99, 99, 99])); // lightness one half in OKLab: 0.125 of the light
});

test("categories have the colour that is fixed for them, else one of a palette that is repeated darker, then lighter", () => {
  const theme = { isDark: false, ink: 0, background: WHITE };
  assert.equal(categoryColour(1, theme, ["#ff0000", "#00ff01"]), packed([0, 255, 1]));
  assert.equal(categoryColour(0, theme), packed([0x00, 0x72, 0xb2]));
  const colours = Array.from({ length: 24 }, (_, i) => categoryColour(i, theme));
  assert.equal(new Set(colours).size, 24);
  for (let i = 0; i < 8; i++) {
    assert.ok(luminance(colours[i + 8]) < luminance(colours[i]));
    assert.ok(luminance(colours[i + 16]) > luminance(colours[i]));
  }
  assert.equal(categoryColour(24, theme), colours[0]);
});
