"""The splits that a source says pictures are in: one each, or several where it names a picture more than once."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from url_viz.imaging.scan import display_name
from url_viz.wording import counted, first_of

SPLIT = "split"
"""The column of splits that folders, lists, containers and annotations say of."""
BETWEEN = " + "
"""Between the names of splits in the cell of a picture that is in several: "train + val"."""
_COLUMN = re.compile(
    r"(is[-_ ]?)?(split|subset|partition|fold|train(ing)?|val(id|idation)?|dev|test(ing)?|holdout)"
    r"([-_ ]?(set|id|no|nr|number|name))?",
    re.IGNORECASE,
)


def is_split_column(name: str) -> bool:
    """Whether a column is named like one that says in which split a picture is: split, subset, fold, is_train."""
    return _COLUMN.fullmatch(name) is not None


def joined_splits(*cells: Any) -> Any:
    """The cell of a picture of which several lines say their split: that of one, or the names of all; None for none."""
    names = dict.fromkeys(name for cell in cells if cell is not None for name in parted_splits(cell))
    return next(iter(names), None) if len(names) < 2 else BETWEEN.join(map(str, names))


def parted_splits(cell: object) -> tuple[object, ...]:
    """The splits in a cell: of text that `joined_splits` made its names, of any other the cell itself."""
    return tuple(filter(None, cell.split(BETWEEN))) if isinstance(cell, str) else (cell,)


def split_remarks(cells: Mapping[bytes, object]) -> Iterator[str]:
    """A sentence on the pictures (cells of splits by path) that are in several splits; nothing if there are none."""
    several = {path: cell for path, cell in cells.items() if len(parted_splits(cell)) > 1}
    if several:
        pictures = counted(len(several), "picture is", "pictures are")
        named = first_of([f"{display_name(path)} ({splits})" for path, splits in several.items()])
        yield f"{pictures} in more than one split: {named}; tests on them are too good, so name each in one."
