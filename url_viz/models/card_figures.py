"""Figures of a head from its model card: on the sets that took no part in any choice."""

import re
from dataclasses import dataclass
from pathlib import Path

from url_viz.wording import counted, decimal, with_interval

REPORTED = "## Sets that took no part in any choice"
HEAD = "uncertainty"
SINGLE_IMAGE_BASELINES = ("entropy", "tempered_entropy", "max_probability", "energy", "inverse_norm", "stack")
"""The columns of baselines that, like the head, know one picture at a time."""
NOT_MEASURED = (
    "Not measured on any set outside its training, so how well it orders new pictures is unknown. Its model card has "
    "the figures of its training."
)
_FIGURE = re.compile(r"(-?[\d.]+)(?: \[(-?[\d.]+), (-?[\d.]+)\])?")
"""A figure with its interval: ".612 [.550, .670]"."""


@dataclass(frozen=True)
class CardFigure:
    """A figure of a card, and its 95 % interval; nan where there is none, as for the mean of one set."""

    value: float
    low: float
    high: float

    @property
    def text(self) -> str:
        """The figure and its interval: ".65 [.45, .85]"; without an interval ".65"."""
        return with_interval(self.value, self.low, self.high)


@dataclass(frozen=True)
class CardRow:
    """R-AUROC on one set, or the mean of all: of the head, and of the best baseline there, by its name."""

    set_name: str
    head: CardFigure
    baseline: str
    best: CardFigure


def describe_card(card: str) -> str:
    """How good a head is, from the text of its card, in two sentences; `NOT_MEASURED` without figures."""
    rows = card_rows(card)
    if not rows:
        return NOT_MEASURED
    *sets, mean = rows
    whole = sets[0] if len(sets) == 1 else mean
    by_set = ", ".join(f"{row.set_name} {decimal(row.head.value)}" for row in sets)
    return (
        f"R-AUROC of the head on {counted(len(sets), 'set')} not used to make it (.5 is chance): {whole.head.text}, "
        f"against {whole.best.text} for {whole.baseline.replace('_', ' ')}, the best baseline that sees one picture "
        f"at a time. By set: {by_set}."
    )


def describe_card_file(card: Path) -> str:
    """As `describe_card`, from the card in a file; "" if it cannot be read."""
    try:
        return describe_card(card.read_text("utf-8"))
    except (OSError, ValueError):
        return ""


def card_rows(text: str) -> tuple[CardRow, ...]:
    """The sets that took no part in any choice, then their mean, from a card's own table; empty without one."""
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
    baselines = {name: figure for name in SINGLE_IMAGE_BASELINES if (figure := _figure(cells.get(name, "")))}
    if head is None or not baselines:
        return None
    best = max(baselines, key=lambda name: baselines[name].value)
    return CardRow(cells.get("set", ""), head, best, baselines[best])


def _figure(cell: str) -> CardFigure | None:
    match = _FIGURE.fullmatch(cell)
    return None if match is None else CardFigure(*map(float, match.groups(default="nan")))
