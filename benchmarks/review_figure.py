"""The figure of what a review's queues find, as an SVG of a few lines: one panel a fault, one line a queue."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Protocol

PANEL_W, PANEL_H, GAP, LEFT, TOP = 300, 190, 70, 60, 112
MOST_LOOKED = 0.3
LINES = {
    "suspects": ("#d55e00", ""),
    "cleanlab": ("#cc79a7", "7 3"),
    "cleanlab, margin": ("#8a4f9e", "2 3"),
    "ambiguity": ("#0072b2", ""),
    "confusability": ("#009e73", "7 3"),
    "entropy": ("#b8860b", "9 3 2 3"),
    "random": ("#777777", "1 4"),
}
"""Colour and dashes of each queue that is drawn: distinct without colour as well."""


class Found(Protocol):
    """A curve to draw: the share (L,) of a `fault` that a `queue` has `found`, and `with_twins` of what it showed."""

    @property
    def noise(self) -> str: ...
    @property
    def queue(self) -> str: ...
    @property
    def fault(self) -> str: ...
    @property
    def found(self) -> tuple[float, ...]: ...
    @property
    def with_twins(self) -> tuple[float, ...]: ...


@dataclass(frozen=True)
class Panel:
    """Where a panel's plot lies, in px, its `title` above."""

    left: int
    top: int
    title: str

    def point(self, looked: float, found: float) -> str:
        """The place of two shares (0 to 1)."""
        x = self.left + PANEL_W * looked / MOST_LOOKED
        return f"{x:.1f},{self.top + PANEL_H * (1 - found):.1f}"


def figure(curves: Sequence[Found], looked: Sequence[float]) -> str:
    """The curves of the first way of planting, found against looked at, on a ground of its own: for light and dark."""
    of_first = [curve for curve in curves if curve.noise == curves[0].noise and curve.queue in LINES]
    faults = list(dict.fromkeys(curve.fault for curve in of_first))
    rows = (len(faults) + 1) // 2
    width, height = LEFT + 2 * PANEL_W + GAP + 20, TOP + rows * (PANEL_H + GAP) - 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#222222" role="img">',
        "<title>What each queue has found of what was planted, against the share of the pictures looked at</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
        *_legend([curve.queue for curve in of_first if curve.fault == faults[0]]),
    ]
    for number, fault in enumerate(faults):
        row, column = divmod(number, 2)
        panel = Panel(LEFT + column * (PANEL_W + GAP), TOP + row * (PANEL_H + GAP), fault)
        parts += _axes(panel)
        for curve in of_first:
            if curve.fault == fault:
                parts.append(_line(panel, curve.queue, curve.with_twins, looked, width=0.75))
                parts.append(_line(panel, curve.queue, curve.found, looked, width=2))
    return "\n".join([*parts, "</svg>", ""])


def _legend(queues: Sequence[str]) -> list[str]:
    parts = [
        f'<text x="{LEFT}" y="24" font-size="14">Share found of what was planted, by queue '
        "(thin: with the twins of what was shown)</text>"
    ]
    for number, queue in enumerate(queue for queue in LINES if queue in queues):
        row, column = divmod(number, 4)
        x, y = LEFT + column * 160, 46 + row * 20
        parts.append(f'<path d="M{x},{y}h24" {_stroke(queue)}/><text x="{x + 30}" y="{y + 4}">{escape(queue)}</text>')
    return parts


def _axes(panel: Panel) -> list[str]:
    parts = [f'<text x="{panel.left}" y="{panel.top - 10}" font-weight="600">{escape(panel.title.capitalize())}</text>']
    for percent in (0, 25, 50, 75, 100):
        y = panel.top + PANEL_H * (1 - percent / 100)
        parts.append(f'<path d="M{panel.left},{y:.1f}h{PANEL_W}" stroke="#dddddd"/>')
        parts.append(f'<text x="{panel.left - 6}" y="{y + 4:.1f}" text-anchor="end">{percent} %</text>')
    for percent in (0, 5, 10, 20, 30):
        x = panel.left + PANEL_W * percent / 100 / MOST_LOOKED
        parts.append(f'<text x="{x:.1f}" y="{panel.top + PANEL_H + 16}" text-anchor="middle">{percent} %</text>')
    below = f'x="{panel.left + PANEL_W / 2}" y="{panel.top + PANEL_H + 32}" text-anchor="middle"'
    return [*parts, f"<text {below}>of the pictures looked at</text>"]


def _line(panel: Panel, queue: str, found: Sequence[float], looked: Sequence[float], *, width: float) -> str:
    points = [panel.point(*at) for at in zip(looked, found, strict=True) if at[0] <= MOST_LOOKED]
    return f'<polyline points="{" ".join(points)}" {_stroke(queue, width)}/>'


def _stroke(queue: str, width: float = 2) -> str:
    colour, dashes = LINES[queue]
    return f'fill="none" stroke="{colour}" stroke-width="{width}"' + (f' stroke-dasharray="{dashes}"' if dashes else "")
