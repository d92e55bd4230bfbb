// The raster of points as one block of pixels, fast enough for 100,000 points.

import { cssOf } from "./colours.js";

/**
 * @import { Colour } from "./colours.js"
 * @import { List } from "./points.js"
 * @import { View } from "./view.js"
 *
 * The pixels of a disc, as distances in a raster of some width from the pixel at its centre, and how much of each it
 * covers, 0 to FULL.
 * @typedef {{offsets: Int32Array, covers: Int32Array}} Disc
 */

const MARGIN = 96; // pixels around the stage, so that discs at its edge need no clipping
const LARGEST_DISC = MARGIN / 2 - 2; // device pixels, radius
export const FULL = 256;

/**
 * Few points are large and solid, many are small and translucent.
 * @param {number} n points
 * @param {Pick<View, "width" | "height" | "zoom">} view
 * @returns {{radius: number, opacity: number}} in CSS pixels; 0 to 1
 */
export function sizeAndOpacity(n, { width, height, zoom }) {
  const filling = Math.sqrt((0.1 * width * height) / (Math.PI * Math.max(n, 1)));
  const radius = Math.min(10, Math.max(0.85, Math.min(9, filling) * zoom ** 0.4));
  const opacity = Math.min(
    0.95,
    Math.max(0.55, 0.95 - 0.16 * Math.log10(Math.max(n / 2000, 1)) + 0.2 * Math.log10(Math.max(zoom, 1))),
  );
  return { radius, opacity };
}

/**
 * @param {number} radius in pixels
 * @param {number} stride the raster's width
 * @param {number} [softness] 0 to 1: a soft disc fades towards its edge
 * @returns {Disc}
 */
export function discOf(radius, stride, softness = 0) {
  const [offsets, covers] = [[], []];
  const reach = Math.ceil(radius);
  const edge = 1 + softness * radius;
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) {
      const cover = Math.min(1, Math.max(0, (radius + 0.5 - Math.hypot(dx, dy)) / edge));
      if (cover > 0.04) (offsets.push(dy * stride + dx), covers.push(Math.round(cover * FULL)));
    }
  }
  return { offsets: Int32Array.from(offsets), covers: Int32Array.from(covers) };
}

export class Raster {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.context = canvas.getContext("2d", { alpha: false });
    this.canvas = canvas;
  }

  /** @param {number} width @param {number} height in device pixels */
  resize(width, height) {
    Object.assign(this.canvas, { width, height });
    this.stride = width + 2 * MARGIN;
    this.rows = height + 2 * MARGIN;
    this.image = new ImageData(this.stride, this.rows);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }

  /**
   * Draw the points of a list, first to last.
   * @param {List} list
   * @param {View} view
   * @param {object} options
   * @param {Colour} options.background
   * @param {number} options.density device pixels per CSS pixel
   * @param {number[]} options.radii of each size, in CSS pixels
   * @param {number[]} options.softness of each size, 0 to 1
   * @param {boolean} options.hasRim whether points have a rim of the background's colour
   */
  draw(list, view, { background, density, radii, softness, hasRim }) {
    this.pixels.fill((0xff000000 | background) >>> 0);
    const places = this.placed(list, view, density);
    const pixelsOf = (radius) => Math.min(LARGEST_DISC, radius * density);
    const discs = radii.map((radius, size) => discOf(pixelsOf(radius), this.stride, softness[size]));
    const rims = hasRim ? radii.map((radius) => discOf(pixelsOf(radius + 1.1), this.stride)) : [];
    for (let at = 0; at < list.n; at++) {
      const place = places[at];
      if (place < 0 || list.alpha[at] === 0) continue;
      if (hasRim) this.stamp(rims[list.size[at]], place, background, list.alpha[at]);
      this.stamp(discs[list.size[at]], place, list.colour[at], list.alpha[at]);
    }
    this.context.putImageData(this.image, -MARGIN, -MARGIN);
  }

  // Shades of density instead of points (shade.js).
  shaded(shade, list, view, options) {
    this.context.fillStyle = cssOf(options.theme.background);
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    shade.draw(this.context, list, view, options);
  }

  // The pixel index of every point, -1 if it is outside the raster.
  placed(list, view, density) {
    if (this.places?.length !== list.n) this.places = new Int32Array(list.n);
    const { places, stride, rows } = this;
    const scale = view.scale * density;
    const left = (view.width * density) / 2 - view.x * scale + MARGIN;
    const top = (view.height * density) / 2 + view.y * scale + MARGIN;
    const inset = MARGIN / 2;
    const [lastX, lastY] = [stride - inset, rows - inset];
    for (let at = 0; at < list.n; at++) {
      const x = Math.floor(list.x[at] * scale + left);
      const y = Math.floor(top - list.y[at] * scale);
      places[at] = x >= inset && x < lastX && y >= inset && y < lastY ? y * stride + x : -1;
    }
    return places;
  }

  // Blend a disc of one colour over the pixels, red and blue in one multiplication, green in another; rounded, because
  // many faint layers would otherwise grow dark.
  stamp({ offsets, covers }, place, colour, alpha) {
    const pixels = this.pixels;
    const [redBlue, green] = [colour & 0xff00ff, colour & 0x00ff00];
    for (let i = 0; i < offsets.length; i++) {
      const over = (covers[i] * alpha) >> 8;
      const under = FULL - over;
      const pixel = pixels[place + offsets[i]];
      const rb = ((Math.imul(redBlue, over) + Math.imul(pixel & 0xff00ff, under) + 0x800080) >>> 8) & 0xff00ff;
      const g = ((Math.imul(green, over) + Math.imul(pixel & 0x00ff00, under) + 0x8000) >>> 8) & 0x00ff00;
      pixels[place + offsets[i]] = 0xff000000 | rb | g;
    }
  }
}
