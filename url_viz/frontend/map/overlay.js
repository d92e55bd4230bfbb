// Part of the map component: the overlay above the points: lasso and rings.

class Overlay {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
  }

  resize(width, height, density) {
    Object.assign(this.canvas, { width, height });
    this.density = density;
  }

  // `lasso`: [left, top] of the stage while it is drawn; `polygon`: [x, y] of the map; rings: [x, y] or null.
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
