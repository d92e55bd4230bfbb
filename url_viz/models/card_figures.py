"""Figures of a head as its model card tells them: on the sets that took no part in any choice."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REPORTED = "## Sets that took no part in any choice"
HEAD = "uncertainty"
OF_ONE_PICTURE = ("entropy", "tempered_entropy", "max_probability", "energy", "inverse_norm", "stack")
"""The columns of baselines that, as the head, know one picture at a time."""
NOT_MEASURED = (
    "Measured on no set that took no part in its making: how well it orders new pictures is not known. The figures of "
    "its training are in its card."
)
_FIGURE = re.compile(r"(-?[\d.]+)(?: [\[(](-?[\d.]+)(?:, | to )(-?[\d.]+)[\])])?")
"""A figure with its interval: ".612 [.550, .670]", or "0.612 (0.550 to 0.670)" on older cards."""


@dataclass(frozen=True)
class CardFigure:
    """A figure of a card, with the ends of its 95 % interval; nan where there is none, as of the mean of one set."""

    value: float
    low: float
    high: float

    @property
    def in_words(self) -> str:
        """The figure and its interval, to two places: ".65 (.45 to .85)"; without an interval ".65"."""
        if math.isnan(self.low):
            return _short(self.value)
        return f"{_short(self.value)} ({_short(self.low)} to {_short(self.high)})"


@dataclass(frozen=True)
class CardRow:
    """R-AUROC on one set, or the mean of all: of the head, and of the baseline that is best there, by its name."""

    set_name: str
    head: CardFigure
    baseline: str
    best: CardFigure


def in_words(rows: Sequence[CardRow]) -> str:
    """What a card's rows tell, in two sentences; "" of none."""
    if not rows:
        return ""
    *sets, mean = rows
    whole = sets[0] if len(sets) == 1 else mean
    by_set = ", ".join(f"{row.set_name} {_short(row.head.value)}" for row in sets)
    return (
        f"How well the head orders {_counted(len(sets))} that took no part in its making (R-AUROC, .5 is chance): "
        f"{whole.head.in_words}, beside {whole.best.in_words} of {whole.baseline.replace('_', ' ')}, the best baseline "
        f"that knows one picture alone. By set: {by_set}."
    )


def describe_card(card: str) -> str:
    """What the text of a card tells of a head's worth; where it was measured on no set, that."""
    return in_words(card_rows(card)) or NOT_MEASURED


def describe_card_file(card: Path) -> str:
    """What the card in a file tells of its head's worth; "" if it cannot be read."""
    try:
        return describe_card(card.read_text("utf-8"))
    except (OSError, ValueError):
        return ""


def _counted(sets: int) -> str:
    return "1 set" if sets == 1 else f"{sets:,} sets"


def _short(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")


def card_rows(text: str) -> tuple[CardRow, ...]:
    """The sets that took no part in any choice, then their mean, from a card's own table; none if it has none."""
    _, _, section = text.partition(REPORTED)
    lines = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("|")]
    if len(lines) < 3:
        return ()
    header = _cells(lines[0])
    rows = [_row(dict(zip(header, _cells(line), strict=False))) for line in lines[2:]]
    return tuple(row for row in rows if row is not None)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _row(cells: dict[str, str]) -> CardRow | None:
    head = _figure(cells.get(HEAD, ""))
    baselines = {name: one for name in OF_ONE_PICTURE if (one := _figure(cells.get(name, ""))) is not None}
    if head is None or not baselines:
        return None
    best = max(baselines, key=lambda name: baselines[name].value)
    return CardRow(cells.get("set", ""), head, best, baselines[best])


def _figure(cell: str) -> CardFigure | None:
    match = _FIGURE.fullmatch(cell)
    return None if match is None else CardFigure(*map(float, match.groups(default="nan")))
