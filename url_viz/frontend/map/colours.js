// The map's colours: of values, of categories and of the page's theme, packed for ImageData.

import { VALUE_STEPS } from "./decode.js";

/**
 * A colour as a packed number: red in the lowest eight bits, then green, then blue.
 * @typedef {number} Colour
 *
 * @typedef {object} Theme
 * @property {Colour} background
 * @property {Colour} ink
 * @property {boolean} isDark
 * @property {Colour} accent
 * @property {Uint32Array} ramp the colour of each step of a value
 * @property {Colour} missing of points without a value or category
 * @property {Colour} dimmed of points that filters leave out, or of other categories than the one brought out
 */

// The colour of a value, by its percentile, runs clear → ambiguous through three points [lightness, chroma, hue in degrees], at an even
// pace in OKLab: from blue to orange, which every kind of colour vision tells apart, and with lightness rising
// throughout, so that a grey print keeps the order. The ambiguous end has contrast 3 with the page in both themes.
export const RAMPS = {
  light: [
    [0.44, 0.075, 262],
    [0.555, 0.14, 328],
    [0.685, 0.18, 52],
  ],
  dark: [
    [0.47, 0.075, 262],
    [0.62, 0.15, 335],
    [0.87, 0.145, 82],
  ],
};
// Eight colours that stay apart under the common colour-vision deficiencies (after Okabe and Ito), and from the page.
const SEVEN = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8b7bd8"];
const PALETTES = { light: [...SEVEN, "#7a1f4b"], dark: [...SEVEN, "#e8dcc0"] };

function oklabOf([lightness, chroma, hue]) {
  const angle = (hue * Math.PI) / 180;
  return [lightness, chroma * Math.cos(angle), chroma * Math.sin(angle)];
}

// Oklab → sRGB, 0 to 255 (Ottosson 2020, "A perceptual color space for image processing").
function rgbOf([lightness, a, b]) {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return linear.map((c) =>
    Math.round(255 * Math.min(1, Math.max(0, c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055))),
  );
}

/**
 * @param {Iterable<number>} rgb three whole numbers, 0 to 255
 * @returns {Colour} in the order of ImageData's bytes, little-endian as every browser is
 */
export const packed = ([r, g, b]) => (b << 16) | (g << 8) | r;

/** @param {Colour} colour @returns {string} for CSS and canvas styles */
export const cssOf = (colour) => `rgb(${colour & 255} ${(colour >> 8) & 255} ${(colour >> 16) & 255})`;

/**
 * @param {Colour} from
 * @param {Colour} to
 * @param {number} share of `to`, 0 to 1
 * @returns {Colour}
 */
export const mixed = (from, to, share) =>
  packed([0, 8, 16].map((bit) => Math.round(((from >> bit) & 255) * (1 - share) + ((to >> bit) & 255) * share)));

/**
 * A colour for each step of a value, percentile 0 to 100, equal steps in OKLab along a quadratic curve through the points.
 * @param {number[][]} anchors three points [lightness, chroma, hue in degrees]
 * @returns {Uint32Array} VALUE_STEPS + 1 colours
 */
export function rampOf(anchors) {
  const [p0, p1, p2] = anchors.map(oklabOf);
  const at = (t) =>
    p0.map((_, i) => 2 * (t - 0.5) * (t - 1) * p0[i] - 4 * t * (t - 1) * p1[i] + 2 * t * (t - 0.5) * p2[i]);
  const curve = Array.from({ length: 1001 }, (_, i) => at(i / 1000));
  const length = [0];
  for (let i = 1; i < curve.length; i++)
    length.push(length[i - 1] + Math.hypot(...curve[i].map((c, j) => c - curve[i - 1][j])));
  const total = length[length.length - 1];
  let i = 0;
  return Uint32Array.from({ length: VALUE_STEPS + 1 }, (_, step) => {
    while (length[i] < (total * step) / VALUE_STEPS && i < 1000) i++;
    return packed(rgbOf(curve[i]));
  });
}

// A CSS colour as a packed number, read from one painted pixel.
function parsedColour(css) {
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  context.fillStyle = css;
  context.fillRect(0, 0, 1, 1);
  return packed(context.getImageData(0, 0, 1, 1).data);
}

function luminance(colour) {
  const [r, g, b] = [0, 8, 16].map((bit) => ((colour >> bit) & 255) / 255);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/**
 * The colours of the page's theme, and the map's colours for it.
 * @param {Element} element which Streamlit gives its CSS variables
 * @returns {Theme}
 */
export function themeOf(element) {
  const style = getComputedStyle(element);
  const colour = (name, otherwise) => parsedColour(style.getPropertyValue(name).trim() || otherwise);
  const background = colour("--st-background-color", "white");
  const ink = colour("--st-text-color", "black");
  const isDark = luminance(background) < 0.5;
  return {
    background,
    ink,
    isDark,
    accent: colour("--st-primary-color", "royalblue"),
    ramp: rampOf(isDark ? RAMPS.dark : RAMPS.light),
    missing: mixed(background, ink, 0.42),
    dimmed: mixed(background, ink, isDark ? 0.3 : 0.24),
  };
}

function packedHex(text) {
  const hex = parseInt(text.slice(1), 16);
  return packed([hex >> 16, (hex >> 8) & 255, hex & 255]);
}

/**
 * The colour of a category: its fixed one, else one of the palette; more categories repeat the palette, darker, then lighter.
 * @param {number} index of the category
 * @param {Pick<Theme, "isDark" | "ink" | "background">} theme
 * @param {string[]} [fixed] "#rrggbb" of each category, where colours have a meaning
 * @param {number[]} [chosen] categories that are looked at: they have the first colours, in their order
 * @returns {Colour}
 */
export function categoryColour(index, theme, fixed, chosen = []) {
  if (fixed?.[index]) return packedHex(fixed[index]);
  if (chosen.length && chosen.length <= SEVEN.length + 1 && chosen.includes(index)) index = chosen.indexOf(index);
  const palette = theme.isDark ? PALETTES.dark : PALETTES.light;
  const base = packedHex(palette[index % palette.length]);
  const round = Math.floor(index / palette.length) % 3;
  return round === 0 ? base : round === 1 ? mixed(base, theme.ink, 0.4) : mixed(base, theme.background, 0.3);
}
