"""Tables of figures as Markdown."""

from collections.abc import Sequence

from url_viz.analysis.evidence.order_metrics import Figure
from url_viz.wording import decimal


def cell(figure: Figure | float, *, digits: int = 3, signed: bool = False) -> str:
    """A figure for a table: ".871", or ".871 [.850, .901]" with its interval."""
    if isinstance(figure, Figure):
        return figure.text(digits=digits, signed=signed)
    return decimal(figure, digits=digits, signed=signed)


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns stand below each other, also on a terminal."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)
