// The density style: number of pictures per area, and their mean colour.

import { cssOf, packed } from "./colours.js";
import { NO_VALUE, VALUE_STEPS } from "./decode.js";
import { MIDDLE_VALUE, opacityOf } from "./points.js";

/**
 * @import { Theme } from "./colours.js"
 * @import { List } from "./points.js"
 * @import { View } from "./view.js"
 */

const CELL = 4; // CSS pixels
const FEW_IN_SIGHT = 4000; // up to this many points are also drawn, as specks
const SPECK_OPACITY = 0.5;

export class Shade {
  constructor() {
    this.canvas = new OffscreenCanvas(1, 1);
    this.scale = 0;
    this.most = 0;
  }

  /**
   * Counts by cell, smoothed by a Gaussian, on a scale of logarithms; hue by the mean value, or the mean colour of
   * the categories. Dimmed points do not count, and faded ones count by their opacity.
   * @param {CanvasRenderingContext2D} context
   * @param {List} list
   * @param {View} view
   * @param {{theme: Theme, isByCategory: boolean, density: number}} options device pixels per CSS pixel
   */
  draw(context, list, view, { theme, isByCategory, density }) {
    const { width, height } = context.canvas;
    const sigma = Math.min(18, Math.max(6, 0.42 * Math.sqrt((view.width * view.height) / Math.max(1, list.n)) * view.zoom));
    const pad = Math.ceil((3 * sigma) / CELL);
    const grid = this.counted(list, view, { pad, isByCategory });
    blur(grid.planes, grid, sigma / CELL);
    const image = this.coloured(grid, view, { theme, isByCategory, peak: 2 * Math.PI * (sigma / CELL) ** 2 });
    Object.assign(this.canvas, { width: grid.columns, height: grid.rows });
    this.canvas.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingQuality = "high";
    const side = CELL * density;
    context.drawImage(this.canvas, -pad * side, -pad * side, grid.columns * side, grid.rows * side);
    if (grid.inSight <= FEW_IN_SIGHT) this.specks(context, list, view, { theme, density, width, height });
  }

  // Planes over the cells: weight, then weighted value, or red, green and blue.
  counted(list, view, { pad, isByCategory }) {
    const columns = Math.ceil(view.width / CELL) + 2 * pad;
    const rows = Math.ceil(view.height / CELL) + 2 * pad;
    const planes = Array.from({ length: isByCategory ? 4 : 2 }, () => new Float32Array(columns * rows));
    const scale = view.scale / CELL;
    const left = view.width / 2 / CELL - view.x * scale + pad;
    const top = view.height / 2 / CELL + view.y * scale + pad;
    let inSight = 0;
    for (let at = 0; at < list.n; at++) {
      const weight = list.strength[at] > 0 ? opacityOf(list.strength[at]) : 0;
      const [x, y] = [Math.floor(list.x[at] * scale + left), Math.floor(top - list.y[at] * scale)];
      if (!weight || x < 0 || y < 0 || x >= columns || y >= rows) continue;
      const cell = y * columns + x;
      planes[0][cell] += weight;
      inSight++;
      if (!isByCategory) planes[1][cell] += weight * (list.value[at] === NO_VALUE ? MIDDLE_VALUE : list.value[at]);
      else for (let part = 0; part < 3; part++) planes[part + 1][cell] += weight * ((list.colour[at] >> (8 * part)) & 255);
    }
    return { columns, rows, planes, inSight };
  }

  // `peak` is the number of cells that one picture is spread over. The strongest shade is the highest density seen at
  // this zoom: it does not change while the map is only panned.
  coloured({ columns, rows, planes }, view, { theme, isByCategory, peak }) {
    const [weight, ...values] = planes;
    if (view.scale !== this.scale) [this.scale, this.most] = [view.scale, 3];
    for (let cell = 0; cell < weight.length; cell++) this.most = Math.max(this.most, weight[cell] * peak);
    const image = new ImageData(columns, rows);
    const pixels = new Uint32Array(image.data.buffer);
    const full = Math.log1p(this.most);
    for (let cell = 0; cell < weight.length; cell++) {
      const count = weight[cell] * peak;
      const share = count < 0.03 ? 0 : Math.min(1, Math.log1p(count) / full);
      const mean = (plane) => Math.min(255, Math.round(plane[cell] / weight[cell]));
      const colour = !share
        ? 0
        : isByCategory
          ? packed(values.map(mean))
          : theme.ramp[Math.min(VALUE_STEPS, mean(values[0]))];
      pixels[cell] = (0xff000000 | blended(theme.background, colour, 0.95 * share)) >>> 0;
    }
    return image;
  }

  specks(context, list, view, { theme, density, width, height }) {
    context.fillStyle = cssOf(theme.ink);
    context.globalAlpha = SPECK_OPACITY;
    for (let at = 0; at < list.n; at++) {
      if (list.strength[at] <= 0) continue;
      const [left, top] = view.toStage(list.x[at], list.y[at]).map((place) => place * density);
      if (left > 0 && top > 0 && left < width && top < height)
        context.fillRect(Math.round(left), Math.round(top), density, density);
    }
    context.globalAlpha = 1;
  }
}

// Like `mixed`, without allocations, for use per pixel.
function blended(from, to, share) {
  const [over, under] = [Math.round(256 * share), 256 - Math.round(256 * share)];
  const redBlue = ((Math.imul(to & 0xff00ff, over) + Math.imul(from & 0xff00ff, under)) >>> 8) & 0xff00ff;
  const green = ((Math.imul(to & 0x00ff00, over) + Math.imul(from & 0x00ff00, under)) >>> 8) & 0x00ff00;
  return redBlue | green;
}

// Three running means along each axis approximate a Gaussian.
function blur(planes, { columns, rows }, sigma) {
  const reach = Math.max(1, Math.round((Math.sqrt(4 * sigma * sigma + 1) - 1) / 2));
  const line = new Float32Array(Math.max(columns, rows));
  for (const plane of planes) {
    for (let pass = 0; pass < 3; pass++) {
      for (let row = 0; row < rows; row++) smoothLine(plane, line, row * columns, 1, columns, reach);
      for (let column = 0; column < columns; column++) smoothLine(plane, line, column, columns, rows, reach);
    }
  }
}

function smoothLine(plane, line, start, step, length, reach) {
  let sum = 0;
  for (let i = 0; i < length; i++) line[i] = plane[start + i * step];
  for (let i = 0; i < Math.min(reach, length); i++) sum += line[i];
  for (let i = 0; i < length; i++) {
    if (i + reach < length) sum += line[i + reach];
    if (i - reach - 1 >= 0) sum -= line[i - reach - 1];
    plane[start + i * step] = sum > 1e-6 ? sum / (2 * reach + 1) : 0;
  }
}
