"""Figures of studies as JSON: measured on image sets that have been read, or read from the file."""

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from url_viz.image_set import ImageSet, open_image_set


def measured_or_read(
    about: str | None, figures: Path, *, sets: Mapping[str, Sequence[str]], of: Callable[[ImageSet], Any]
) -> Any:
    """The figures of `sets` (names by their use) as JSON in the file `figures`, for a command that `about` describes.

    Where the command line names the folder of the sets, they are measured by `of` and written first.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument(
        "photos", type=Path, nargs="?", help="the folders of the sets; without it the stored figures are used"
    )
    parser.add_argument("--workspace", type=Path, help="where they were read")
    options = parser.parse_args()
    if options.photos is not None:
        measured = {
            use: {name: of(open_image_set(options.photos / name, workspace=options.workspace)) for name in names}
            for use, names in sets.items()
        }
        write_figures(measured, figures)
    return read_figures(figures)


def write_figures(record: Mapping[str, Any], figures: Path, *, digits: int | None = None) -> None:
    """Write figures as compact JSON, rounded to so many `digits` where these are given; a missing one (nan) is null."""
    text = json.dumps(_plain(record, digits), separators=(",", ":"), allow_nan=False)
    figures.write_text(text + "\n", encoding="utf-8")


def read_figures(figures: Path) -> Any:
    """What `write_figures` wrote."""
    return json.loads(figures.read_text(encoding="utf-8"))


def _plain(value: Any, digits: int | None) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(inner, digits) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, digits) for inner in value]
    if isinstance(value, float):
        return None if math.isnan(value) else value if digits is None else round(value, digits)
    return value
