// The map's words and figures.

/**
 * A class that a picture lies near, with its share, 0 to 1, if that is known.
 * @typedef {{name: string, share: number | null}} Between
 */

/**
 * "cucumber .46 or banana .41?": the classes that a picture lies between, in three parts each. A class without a
 * hundredth of the picture is left out, and then there is no question.
 * @param {Between[]} classes at most two
 * @returns {{name: string, share: string, end: string}[]}
 */
export function classesBetween(classes) {
  const named = classes.filter(({ share }) => shareOf(share) !== ".00");
  const ends = named.length > 1 ? [" or ", "?"] : [""];
  return named.map(({ name, share }, i) => ({ name, share: ` ${shareOf(share)}`.trimEnd(), end: ends[i] }));
}

/** @param {number | null} share 0 to 1 @returns {string} two digits behind the point: .46, 1.00; nothing if it is not known */
export const shareOf = (share) => (typeof share === "number" ? share.toFixed(2).replace(/^0/, "") : "");

/** @param {number} value @returns {string} three significant digits, four from a thousand on: 0.412, 12.3, 2,781, 0.00042 */
export function figure(value) {
  return value.toLocaleString("en", { maximumSignificantDigits: Math.abs(value) >= 1000 ? 4 : 3 });
}

/** @param {number} percentile @returns {string} above 98 %, in the lower half below 98 %; only the ends are lowest and highest */
export function standing(percentile) {
  if (percentile === 0) return "lowest";
  return percentile < 50 ? `below ${rounded(100 - percentile)} %` : above(percentile);
}

/** @param {number} percentile @returns {string} what lies from it on: above 90 %, highest at 100 */
export const above = (percentile) => (percentile === 100 ? "highest" : `above ${rounded(percentile)} %`);

const rounded = (share) => Math.min(99, Math.round(share));

/**
 * The status line: numbers of pictures in total, drawn, and passing the filters, and the page's note.
 * @param {{total: number, note: string, unit: string}} data `unit` is "picture" or "object"
 * @param {{kept: Uint8Array | null, count: number, error: Error | null}} mask
 * @param {{drawn: number, isReady: boolean}} points
 * @returns {string}
 */
export function statusOf({ total, note, unit }, mask, { drawn, isReady }) {
  const of = isReady && drawn < total ? `${drawn.toLocaleString("en")} of ` : "";
  const parts = [`${of}${total.toLocaleString("en")} ${unit}${total === 1 ? "" : "s"}`];
  if (mask.kept) parts.push(`${mask.count.toLocaleString("en")} pass the filters`);
  if (mask.error) parts.push(`what the filters leave out cannot be shown: ${mask.error.message}`);
  if (note) parts.push(note);
  return parts.join(" · ");
}

/**
 * The meaning of sizes and shades.
 * @param {string | null} style
 * @param {{ends: string[], colour: string, size_title: string, unit: string}} data
 * @returns {string} nothing if they have none
 */
export function hintOf(style, { ends, colour, size_title, unit }) {
  if (style === "fog") return `Small and crisp: ${ends[0]}. Large and faint: ${ends[1]}.`;
  if (style === "density") return `Stronger: more ${unit}s. Colour: ${colour === "category" ? "mixed by share" : "mean"}.`;
  return size_title ? `Larger: higher in “${size_title}”.` : "";
}
