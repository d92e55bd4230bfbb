"""The figure of what answers gain, as an SVG of a few lines: one panel a group of sets, one line a way of drawing."""

from html import escape

import pandas as pd

PANEL_W, PANEL_H, GAP, LEFT, TOP = 300, 190, 70, 60, 76
MOST = 100
LINES = {
    "as the app draws": ("#d55e00", ""),
    "all alike": ("#0072b2", "7 3"),
    "where measures disagree": ("#009e73", "2 3"),
    "least sure": ("#cc79a7", "9 3 2 3"),
}
"""Colour and dashes of each way that is drawn: distinct without colour as well."""


def figure(found: pd.DataFrame) -> str:
    """R-AUROC against answers, without noise, for each set on a ground of its own: for light and dark."""
    clean = found[found["noise"] == 0]
    sets = list(dict.fromkeys(clean["set"]))
    rows = (len(sets) + 1) // 2
    width, height = LEFT + 2 * PANEL_W + GAP + 20, TOP + rows * (PANEL_H + GAP) - 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#222222" role="img">',
        "<title>R-AUROC of the order against the number of answers taken in, by set</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        '<text x="20" y="26" font-size="15" font-weight="600">What answers gain: R-AUROC with so many taken in</text>',
    ]
    x = 20
    for way, (colour, dashes) in LINES.items():
        line = f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}" fill="none"'
        parts.append(f'<path d="M{x} 46h24" {line}/><text x="{x + 30}" y="50">{escape(way)}</text>')
        x += 60 + 7 * len(way)
    for number, name in enumerate(sets):
        left = LEFT + (number % 2) * (PANEL_W + GAP)
        parts += _panel(clean[clean["set"] == name], name, left, TOP + 24 + number // 2 * (PANEL_H + GAP))
    return "\n".join([*parts, "</svg>"])


def _panel(part: pd.DataFrame, name: str, left: int, top: int) -> list[str]:
    value = part.assign(value=part["base"] + part["gain"]).groupby(["way", "count"], sort=False)["value"].mean()
    base = float(part["base"].mean())
    low, high = min(base, float(value.min())) - 0.01, max(base, float(value.max())) + 0.01

    def point(count: float, figure_: float) -> str:
        return f"{left + PANEL_W * count / MOST:.1f},{top + PANEL_H * (high - figure_) / (high - low):.1f}"

    parts = [
        f'<text x="{left}" y="{top - 8}" font-weight="600">{escape(name)}</text>',
        f'<rect x="{left}" y="{top}" width="{PANEL_W}" height="{PANEL_H}" fill="none" stroke="#cccccc"/>',
    ]
    for share in (0, 0.5, 1):
        figure_ = low + share * (high - low)
        x, y = point(0, figure_).split(",")
        parts.append(f'<text x="{float(x) - 6:.0f}" y="{float(y) + 4:.0f}" text-anchor="end">{figure_:.2f}</text>')
        x, _ = point(MOST * share, low).split(",")
        parts.append(f'<text x="{x}" y="{top + PANEL_H + 16}" text-anchor="middle">{MOST * share:.0f}</text>')
    for way, (colour, dashes) in LINES.items():
        if way in value.index.get_level_values("way"):
            points = [point(0, base), *(point(float(count), float(one)) for count, one in value[way].items())]
            parts.append(
                f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2" '
                f'stroke-dasharray="{dashes}"/>'
            )
    return parts
