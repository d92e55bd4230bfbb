// The map's words and figures: hover card, status, hints.

import assert from "node:assert/strict";
import { test } from "node:test";
import { classesBetween, figure, hintOf, shareOf, standing, statusOf } from "../../url_viz/frontend/map/words.js";

const said = (classes) => classesBetween(classes).map(({ name, share, end }) => name + share + end).join("");

test("the two classes that a picture lies between are a question", () => {
  assert.equal(said([{ name: "cucumber", share: 0.46 }, { name: "banana", share: 0.412 }]), "cucumber .46 or banana .41?");
  assert.equal(said([{ name: "cucumber", share: 0.46 }, { name: "banana", share: null }]), "cucumber .46 or banana?");
});

test("a class without a hundredth of the picture is left out, and then there is no question", () => {
  assert.equal(said([{ name: "cucumber", share: 0.996 }, { name: "banana", share: 0.0049 }]), "cucumber 1.00");
  assert.equal(said([{ name: "cucumber", share: 0.99 }, { name: "banana", share: 0.005 }]), "cucumber .99 or banana .01?");
  assert.equal(said([]), "");
});

test("figures have three digits that count", () => {
  const told = { 0.4123: "0.412", 12.34: "12.3", 2780.6: "2,781", 0.000424: "0.000424", 1234567: "1,235,000", "-0.5": "-0.5", 0: "0" };
  for (const [value, words] of Object.entries(told)) assert.equal(figure(Number(value)), words);
});

test("percentiles as the share that is passed, and shares of classes", () => {
  const told = { 0: "lowest", 0.3: "below 99 %", 2.4: "below 98 %", 49.9: "below 50 %", 50: "above 50 %", 97.6: "above 98 %", 99.6: "above 99 %", 100: "highest" };
  for (const [percentile, words] of Object.entries(told)) assert.equal(standing(Number(percentile)), words);
  assert.deepEqual([0, 0.5, 1, null].map(shareOf), [".00", ".50", "1.00", ""]);
});

test("the status counts what is there, drawn and kept", () => {
  const all = { kept: null, count: 0, error: null };
  assert.equal(statusOf({ total: 1, note: "", unit: "picture" }, all, { drawn: 1, isReady: true }), "1 picture");
  assert.equal(statusOf({ total: 12000, note: "PCA", unit: "picture" }, all, { drawn: 5000, isReady: true }), "5,000 of 12,000 pictures · PCA");
  assert.equal(statusOf({ total: 12000, note: "", unit: "picture" }, all, { drawn: 0, isReady: false }), "12,000 pictures");
  const mask = { kept: new Uint8Array(3), count: 1234, error: new Error("the server answered 500") };
  assert.equal(
    statusOf({ total: 12000, note: "", unit: "picture" }, mask, { drawn: 12000, isReady: true }),
    "12,000 pictures · 1,234 pass the filters · what the filters leave out cannot be shown: the server answered 500",
  );
});

test("sizes and shades have a meaning", () => {
  const data = { ends: ["unambiguous", "ambiguous"], colour: "value", size_title: "", unit: "object" };
  assert.equal(hintOf("points", data), "");
  assert.equal(hintOf(null, { ...data, size_title: "Width" }), "Larger: higher in “Width”.");
  assert.equal(hintOf("fog", data), "Small and crisp: unambiguous. Large and faint: ambiguous.");
  assert.match(hintOf("density", data), /more objects\. Colour: mean/);
  assert.match(hintOf("density", { ...data, colour: "category" }), /mixed by share/);
});
