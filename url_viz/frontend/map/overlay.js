// The overlay above the points: lasso and rings.

import { cssOf } from "./colours.js";

/**
 * @import { Theme } from "./colours.js"
 * @import { View } from "./view.js"
 *
 * @typedef {number[]} Place two numbers
 */

export class Overlay {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
  }

  /** @param {number} width @param {number} height in device pixels @param {number} density of them per CSS pixel */
  resize(width, height, density) {
    Object.assign(this.canvas, { width, height });
    this.density = density;
  }

  /**
   * @param {View} view
   * @param {Theme} theme
   * @param {object} what
   * @param {Place[] | null} what.lasso while it is drawn: left and top, in CSS pixels of the stage
   * @param {Place[] | null} what.polygon the selection: x and y, in map units
   * @param {Place | null} what.ringed a point, in map units
   * @param {Place | null} what.hovered a point, in map units
   * @param {number} what.radius of the points, in CSS pixels
   */
  draw(view, theme, { lasso, polygon, ringed, hovered, radius }) {
    const { context, density } = this;
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, view.width, view.height);
    if (lasso) this.outline(lasso, theme, { isOpen: true });
    else if (polygon)
      this.outline(
        polygon.map(([x, y]) => view.toStage(x, y)),
        theme,
        { isOpen: false },
      );
    if (ringed)
      this.ring(view.toStage(...ringed), theme, {
        radius: Math.max(7, radius + 4.5),
        colour: theme.accent,
        width: 2.5,
      });
    if (hovered)
      this.ring(view.toStage(...hovered), theme, { radius: Math.max(6, radius + 3), colour: theme.ink, width: 1.5 });
  }

  outline(corners, theme, { isOpen }) {
    const { context } = this;
    context.beginPath();
    for (const [left, top] of corners) context.lineTo(left, top);
    context.globalAlpha = 0.1;
    context.fillStyle = cssOf(theme.accent);
    context.fill("evenodd");
    context.globalAlpha = 1;
    if (!isOpen) context.closePath();
    context.lineJoin = "round";
    context.lineWidth = 1.5;
    context.strokeStyle = cssOf(theme.accent);
    context.stroke();
  }

  // A ring with a rim of the background's colour on both sides, so that it shows on any points.
  ring([left, top], theme, { radius, colour, width }) {
    const { context } = this;
    for (const [style, line] of [
      [theme.background, width + 2.5],
      [colour, width],
    ]) {
      context.beginPath();
      context.arc(left, top, radius, 0, 2 * Math.PI);
      context.lineWidth = line;
      context.strokeStyle = cssOf(style);
      context.stroke();
    }
  }
}
