"""The scatter of a comparison of approaches as an SVG: recall@1 against R-AUROC, means over the sets."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from experiments.approaches.named import OURS
from experiments.approaches.records import ApproachComparison, ApproachFigures

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 760, 460, 64, 56, 190, 52
ROW = 16
OURS_COLOUR, OWN_COLOUR, SHARED_COLOUR = "#d55e00", "#0072b2", "#555555"


@dataclass(frozen=True)
class Axis:
    """A range of values on pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Five values from end to end."""
        return [self.low + (self.high - self.low) * part / 4 for part in range(5)]


def figure(comparison: ApproachComparison) -> str:
    """A point an approach with its range over seeds; one that has no embedding of its own stands at the backbone's R@1.

    Raises ValueError without approaches.
    """
    if not comparison.approaches:
        raise ValueError("There is no approach to draw. Give some.")
    points = [(recall_of(one, comparison), one) for one in comparison.approaches]
    x = _axis([recall for recall, _ in points], LEFT, WIDTH - RIGHT)
    y = _axis([0.5, *(value for _, one in points for value in (one.least, one.most))], HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#222222" role="img">',
        "<title>R-AUROC against recall@1 of approaches on a frozen backbone</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        '<text x="20" y="26" font-size="15" font-weight="600">Approaches on cached embeddings: R-AUROC, R@1</text>',
        *_frame(x, y),
    ]
    labels = _spread([y.at(one.mean) for _, one in points])
    for (recall, one), label in zip(points, labels, strict=True):
        parts += _point(x.at(recall), y, one, label)
    return "\n".join([*parts, "</svg>"]) + "\n"


def recall_of(one: ApproachFigures, comparison: ApproachComparison) -> float:
    """Recall@1 of the approach's own embedding, else the backbone's."""
    return comparison.recall_at_1 if math.isnan(one.own_recall_at_1) else one.own_recall_at_1


def _axis(values: Sequence[float], start: float, end: float) -> Axis:
    known = [value for value in values if not math.isnan(value)] or [0.5]
    return Axis(min(known) - 0.02, max(known) + 0.02, start, end)


def _frame(x: Axis, y: Axis) -> list[str]:
    line = 'stroke="#cccccc" fill="none"'
    parts = [f'<path d="M{x.start} {y.end}V{y.start}H{x.end}" {line}/>']
    parts += [f'<text x="{x.at(v):.0f}" y="{y.start + 18}" text-anchor="middle">{v:.2f}</text>' for v in x.ticks()]
    parts += [f'<text x="{x.start - 8}" y="{y.at(v) + 4:.0f}" text-anchor="end">{v:.2f}</text>' for v in y.ticks()]
    chance = f"{y.at(0.5):.1f}"
    return [
        *parts,
        f'<path d="M{x.start} {chance}H{x.end}" stroke="#999999" stroke-dasharray="4 4"/>',
        f'<text x="{x.start + 6}" y="{float(chance) - 5:.1f}" fill="#555555">chance</text>',
        f'<text x="{(x.start + x.end) / 2}" y="{HEIGHT - 12}" text-anchor="middle">'
        "recall@1 of its own embedding (hollow: none, the backbone's)</text>",
        f'<text x="{LEFT}" y="{TOP - 10}">R-AUROC, mean of the sets; bars: least and most of the seeds</text>',
    ]


def _point(x: float, y: Axis, one: ApproachFigures, label: float) -> list[str]:
    colour = OURS_COLOUR if one.name == OURS else SHARED_COLOUR if math.isnan(one.own_recall_at_1) else OWN_COLOUR
    fill = "#ffffff" if math.isnan(one.own_recall_at_1) else colour
    at, text = y.at(one.mean), WIDTH - RIGHT + 22
    return [
        f'<path d="M{x:.1f} {y.at(one.least):.1f}V{y.at(one.most):.1f}" stroke="{colour}"/>',
        f'<path d="M{x + 6:.1f} {at:.1f}L{text - 4} {label:.1f}" stroke="{colour}" stroke-opacity="0.35"/>',
        f'<circle cx="{x:.1f}" cy="{at:.1f}" r="5" stroke="{colour}" stroke-width="2" fill="{fill}"/>',
        f'<text x="{text}" y="{label + 4:.1f}" fill="{colour}">{escape(one.name)} {one.mean:.3f}</text>',
    ]


def _spread(heights: Sequence[float]) -> list[float]:
    """Heights of labels, in the given order from the top: near their points, and a row apart."""
    found: list[float] = []
    for height in heights:
        found.append(max(height, found[-1] + ROW) if found else height)
    excess = max(0.0, found[-1] - (HEIGHT - BOTTOM))
    return [height - excess * place / max(1, len(found) - 1) for place, height in enumerate(found)]
