// Colour, size, opacity and drawing order of each point.

import { categoryColour } from "./colours.js";
import { NO_CATEGORY, NO_VALUE, VALUE_STEPS } from "./decode.js";
import { FULL, sizeAndOpacity } from "./raster.js";

/**
 * @import { Colour, Theme } from "./colours.js"
 * @import { Points } from "./decode.js"
 * @import { Raster } from "./raster.js"
 * @import { View } from "./view.js"
 *
 * @typedef {"points" | "fog" | "density"} Style
 *
 * What the page says of the points (`MapView` in url_viz/ui/widgets/map.py).
 * @typedef {object} Data
 * @property {"value" | "category"} colour
 * @property {string[]} [category_colours] "#rrggbb" of each category
 * @property {string} [size_title] of the column that sizes the points, if there is one
 * @property {boolean} [is_of_order] whether the threshold is one of the value
 * @property {number[]} [chosen] categories that a filter asks for
 *
 * The points in the order in which they are drawn.
 * @typedef {object} List
 * @property {number} n
 * @property {Float32Array} x in map units
 * @property {Float32Array} y in map units
 * @property {Uint32Array} colour
 * @property {Uint8Array} value in steps, or NO_VALUE
 * @property {Uint8Array} size an index into radii
 * @property {Int8Array} strength 2 full, 1 below the threshold or outside the lasso, -1 dimmed (left out)
 * @property {Uint16Array} alpha 0 to FULL
 */

export const FADED = 0.2; // opacity of points below the threshold or outside the lasso
export const CROWD = 5000; // more points than this hide one another
const TOP_VALUE = Math.ceil(0.99 * VALUE_STEPS);
export const MIDDLE_VALUE = VALUE_STEPS / 2; // that of points without one
const FEW_FOR_RIMS = 3000;
export const SIZES = 24; // steps of size, by value; one more for dimmed points
const DIMMED_SIZE = SIZES;

/** @param {number} n @returns {List} of zeros */
export function listOf(n) {
  return {
    n,
    x: new Float32Array(n),
    y: new Float32Array(n),
    colour: new Uint32Array(n),
    value: new Uint8Array(n),
    size: new Uint8Array(n),
    strength: new Int8Array(n),
    alpha: new Uint16Array(n),
  };
}

/**
 * @param {object} of
 * @param {Pick<Points, "value" | "category">} of.points
 * @param {Data} of.data
 * @param {number | null} of.threshold a percentile
 * @param {Uint8Array | null} of.kept 1 for what passes the filters; null if all do
 * @param {Uint8Array | null} [of.inside] 1 for what lies in the lasso; null without one
 * @returns {Int8Array} the strength of each point: 2 full, 1 below the threshold or outside the lasso, -1 dimmed
 */
export function strengthsOf({ points, data, threshold, kept, inside = null }) {
  const isParted = data.colour === "value" && data.is_of_order !== false;
  const least = isParted ? ((threshold ?? 0) * VALUE_STEPS) / 100 : 0;
  return Int8Array.from(points.value, (value, i) => (kept && !kept[i] ? -1 : value < least || inside?.[i] === 0 ? 1 : 2));
}

/** @param {number} strength @returns {number} 0 to 1 */
export const opacityOf = (strength) => (strength === 2 ? 1 : strength === 1 ? FADED : 0.55);

/** @param {Points} points @param {number} i a row @param {Data} data @param {Theme} theme @returns {Colour} */
export function colourOf(points, i, data, theme) {
  const [value, category] = [points.value[i], points.category[i]];
  if (data.colour === "value") return value === NO_VALUE ? theme.missing : theme.ramp[value];
  return category === NO_CATEGORY ? theme.missing : categoryColour(category, theme, data.category_colours, data.chosen);
}

// Radius (CSS pixels), opacity and softness of each step of size. In the fog area and opacity follow the percentile v
// as in the paper's figure (METHOD.md 6: area ((v + .2) · 3.5)^4.2, opacity (1 − v)^1.4, at least .07): a clear
// picture is a small crisp dot, an ambiguous one a large faint cloud. There the value itself was scaled to 0..1; a
// percentile looks the same for the values of any head.
function looksOf(style, isSized, { radius, opacity }) {
  const looks = { radii: [], opacities: [], softness: [] };
  for (let size = 0; size < SIZES; size++) {
    const v = (size + 0.5) / SIZES;
    if (style === "fog") {
      const area = ((v + 0.2) * 3.5) ** 4.2;
      looks.radii.push(Math.max(Math.min(1.3, radius), 1.8 * radius * Math.sqrt(area / FOG_AREA)));
      looks.opacities.push(Math.max((1 - v) ** 1.4, 0.07));
      looks.softness.push(v);
    } else {
      looks.radii.push(isSized ? radius * (0.55 + 1.35 * v) : radius);
      looks.opacities.push(opacity);
      looks.softness.push(0);
    }
  }
  looks.radii.push(style === "fog" ? Math.max(0.85, 0.5 * radius) : radius);
  looks.opacities.push(opacity);
  looks.softness.push(0);
  return looks;
}

const FOG_AREA = (0.7 * 3.5) ** 4.2; // at the middle percentile

/** @param {number} value in steps @param {number} strength @returns {number} the size, 0 to SIZES - 1; SIZES if dimmed */
export function sizeOf(value, strength) {
  if (strength <= 0) return DIMMED_SIZE;
  return Math.min(SIZES - 1, Math.floor(((value === NO_VALUE ? MIDDLE_VALUE : value) * SIZES) / (VALUE_STEPS + 1)));
}

/**
 * Dimmed points are drawn first, then from clear to ambiguous, so that those lie on top. With many points that would
 * paint every dense region ambiguous: then the order is pseudo-random, so that colours show in their true proportions,
 * and only the most ambiguous hundredth lies on top. If points have sizes, the small lie on the large.
 * @param {Pick<Points, "n" | "ids" | "value">} points
 * @param {Int8Array} strength of each
 * @param {{smallOnTop: boolean, sizes?: Uint8Array}} options the values that size the points, in steps
 * @returns {Uint32Array} rows in the order in which they are drawn
 */
export function drawingOrder(points, strength, { smallOnTop, sizes = points.value }) {
  const { value } = points;
  const dice = new Uint32Array(points.ids.buffer, points.ids.byteOffset, 2 * points.n);
  const isTop = (i) => value[i] >= TOP_VALUE && value[i] !== NO_VALUE;
  const inCrowd = (i) => (isTop(i) ? 255 : 1 + (dice[2 * i] & 127));
  const inOrder = (i) => (value[i] === NO_VALUE ? 0 : value[i] + 1);
  const bySize = (i) => (sizes[i] === NO_VALUE ? 1 + MIDDLE_VALUE : 1 + VALUE_STEPS - sizes[i]);
  const depthOf = smallOnTop ? bySize : points.n > CROWD ? inCrowd : inOrder;
  const layerOf = (i) => (strength[i] > 0 ? 256 : 0) + depthOf(i);
  const starts = new Uint32Array(513);
  for (let i = 0; i < points.n; i++) starts[layerOf(i) + 1]++;
  for (let layer = 0; layer < 512; layer++) starts[layer + 1] += starts[layer];
  const order = new Uint32Array(points.n);
  for (let i = 0; i < points.n; i++) order[starts[layerOf(i)]++] = i;
  return order;
}

/**
 * Draw the points on the raster, in the chosen style.
 * @param {Raster} raster
 * @param {List} list
 * @param {View} view
 * @param {{style: Style | null, data: Data, theme: Theme, density: number}} options device pixels per CSS pixel
 */
export function drawPoints(raster, list, view, { style, data, theme, density }) {
  const looks = looksOf(style, Boolean(data.size_title), sizeAndOpacity(list.n, view));
  for (let at = 0; at < list.n; at++)
    list.alpha[at] = FULL * looks.opacities[list.size[at]] * opacityOf(list.strength[at]);
  raster.draw(list, view, {
    background: theme.background,
    density,
    radii: looks.radii,
    softness: looks.softness,
    hasRim: list.n <= FEW_FOR_RIMS && style !== "fog",
  });
}
