"""What the docs have between two marks: `<!-- NAME -->` and `<!-- end -->`."""

from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def between_marks(page: str, name: str) -> str:
    """The text of docs/`page` that a study printed, without the line breaks around it."""
    text = (DOCS / page).read_text("utf-8")
    return text.partition(f"<!-- {name} -->\n")[2].partition("\n<!-- end -->")[0]
