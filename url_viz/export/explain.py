"""Why pictures are ambiguous: the reasons of a set, or of one picture, and which part of it."""

import math
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from typing_extensions import Doc

from url_viz.base.command_line import Output
from url_viz.base.printout import Printout, Table
from url_viz.base.wording import counted
from url_viz.capability import capability
from url_viz.columns.measures import UNCERTAINTY, shown_reason
from url_viz.columns.ranking import percentile_of_each
from url_viz.export.figure import require_png, write_png
from url_viz.findings.reasons import reason_counts, with_reason
from url_viz.image_set import ImageSet
from url_viz.imaging.decode import decode
from url_viz.labels.ambiguity import between
from url_viz.outside.occlusion import heat_in_words, over
from url_viz.pictures.set_selection import ids_of_paths

PICTURE_PX = 800


@capability("explain", top=40, reads_files=True)
def explain(
    image_set: ImageSet,
    picture: Annotated[
        Path | None, Doc("a picture: its path as seen from here, or in the folder (default: all pictures)")
    ] = None,
    *,
    reason: Annotated[str | None, Doc("list the pictures with this reason, the strongest first")] = None,
    heat: Annotated[Path | None, Doc("write the picture with its heat map over it, as PNG"), Output()] = None,
) -> Printout:
    """Explain why one picture is ambiguous, or all of them.

    Of one the reasons, and with --heat the part of it that matters; of all how often each reason is.

    In Python: `image_set.reasons()` and `image_set.heat(id)`.
    """
    if picture is not None:
        return _of_picture(image_set, picture, heat)
    return _of_set(image_set) if reason is None else _with_reason(image_set, reason)


def _of_set(image_set: ImageSet) -> Printout:
    """How many pictures have each reason."""
    table = image_set.table()
    counts = reason_counts(table["reasons"], image_set.core.reasons.order())
    rows = [(count, shown_reason(name)) for name, count in counts.items()]
    rows.append((int((table["reasons"] == "").sum()), "none of these"))
    shared = [image_set.core.in_words(each.words) for each in image_set.core.reasons.shared]
    return Printout([], [Table(pd.DataFrame(rows, columns=[image_set.noun + "s", "reason"]))], closing=shared)


def _with_reason(image_set: ImageSet, reason: str) -> Printout:
    """The pictures with a reason, the strongest first."""
    rows = with_reason(image_set.core.measured, image_set.core.reasons, reason).merge(
        image_set.table()[["id", "path"]], on="id"
    )
    words = f"{len(rows):,} of {counted(len(image_set), image_set.noun)}: {reason}"
    return Printout([words], [Table(rows, ["strength", "path", "detail"], number="{:.2f}", noun="picture")])


def _of_picture(image_set: ImageSet, picture: Path, heat: Path | None) -> Printout:
    """One picture's value and reasons, and which part of it counts."""
    image_id = int(ids_of_paths(image_set, [str(picture)])[0])
    row, reasons = image_set.row(image_id), image_set.reasons([image_id])
    lines = [f"{row['path']}: {_value(image_set, row)}"]
    lines += [
        f"  {each.strength:.2f}  {shown_reason(str(each.reason))}: {each.detail}" for each in reasons.itertuples()
    ]
    if not row["reasons"]:
        lines.append("  None of the known reasons.")
    if heat is not None:
        lines.append(_write_heat(image_set, image_id, heat))
    return Printout(lines)


def _value(image_set: ImageSet, row: dict[str, Any]) -> str:
    """The leading measure of a picture, else the general model's; with classes, between which two it lies."""
    name = image_set.order().measure or UNCERTAINTY.name
    if not math.isfinite(row[name]):
        return "no value yet"
    lies = between(row["first_class"], row["second_class"])
    rank = percentile_of_each(image_set.table(), name)[image_set.core.row_of(row["id"])]
    value = f"{name} {row[name]:.4g}, above {rank:.0f} % of this set"
    return f"{value}, {lies}" if lies else value


def _write_heat(image_set: ImageSet, image_id: int, out: Path) -> str:
    require_png(out)
    heat = image_set.heat(image_id)
    picture, _ = decode(image_set.files.data(image_id), short_side_px=PICTURE_PX, rendering=image_set.core.rendering)
    picture.thumbnail((PICTURE_PX, PICTURE_PX))
    write_png(over(picture, heat), out)
    return f"{heat_in_words(heat)} The picture with its map: {out}"
