"""What the docs say of figures: between two marks, `<!-- NAME -->` and `<!-- end -->`, in parts of tables, in words."""

from collections.abc import Sequence
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def between_marks(page: str, name: str) -> str:
    """The text of docs/`page` that a study printed, without the line breaks around it."""
    text = (DOCS / page).read_text("utf-8")
    return text.partition(f"<!-- {name} -->\n")[2].partition("\n<!-- end -->")[0]


def words_of(page: str) -> str:
    """The text of docs/`page` with single spaces, wherever its lines break."""
    return " ".join((DOCS / page).read_text("utf-8").split())


def cells_of(table: str, *parts: str) -> dict[str, str]:
    """The cells of the first row of a printed table that has all of these parts, by column."""
    head, _, *rows = table.splitlines()
    row = next(row for row in rows if all(part in " ".join(row.split()) for part in parts))
    return dict(zip(_cells(head), _cells(row), strict=True))


def part_of(table: str, *, rows: Sequence[str] = ("",), columns: Sequence[str] = ()) -> str:
    """The `columns` (by default all) of a printed table's rows with one of these parts, with a short line below."""
    head, _, *others = table.splitlines()
    names = _cells(head)
    chosen = [place for name in columns or [*dict.fromkeys(names)] for place, its in enumerate(names) if its == name]
    shown = [row for row in others if _has(row, rows)]
    head, *lines = ["|".join(["", *(row.split("|")[1 + place] for place in chosen), ""]) for row in (head, *shown)]
    return "\n".join([head, "|" + "---|" * len(chosen), *lines])


def _has(row: str, parts: Sequence[str]) -> bool:
    return any(part in row for part in parts)


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]
