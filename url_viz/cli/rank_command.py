"""Commands that print pictures in an order (rank, search), and why they are ambiguous (reasons, why)."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typing_extensions import Doc
from tyro.conf import Positional

from url_viz.base.command_line import Count, Output
from url_viz.base.wording import counted
from url_viz.cli.command_app import app

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet


PICTURE_PX = 800


@app.on_set()
def reasons(
    image_set: "ImageSet",
    *,
    reason: Annotated[str | None, Doc("list the pictures with this reason, the strongest first")] = None,
    top: Annotated[Count, Doc("how many pictures to list")] = 40,
) -> None:
    """Count the likely reasons why pictures of a folder are ambiguous, or list the pictures with one of them."""
    from url_viz.columns.measures import shown_reason
    from url_viz.findings.reasons import reason_counts, with_reason

    if reason is not None:
        pictures = with_reason(image_set.reasons(), reason).merge(image_set.table()[["id", "path"]], on="id")
        print(f"{len(pictures):,} of {counted(len(image_set), image_set.noun)}: {reason}")
        for row in pictures.head(top).itertuples():
            print(f"  {row.strength:.2f}  {row.path}  {row.detail}")
        return
    table = image_set.table()
    for name, count in reason_counts(table["reasons"], image_set.core.reasons.order()).items():
        print(f"{count:8,}  {shown_reason(name)}")
    print(f"{int((table['reasons'] == '').sum()):8,}  none of these")
    for shared in image_set.core.reasons.shared:
        print(shared.words)


@app.on_set()
def why(
    image_set: "ImageSet",
    picture: Positional[Annotated[Path, Doc("a picture: its path as seen from here, or in the folder")]],
    *,
    heat: Annotated[Path | None, Doc("also write the picture with its heat map over it, as PNG"), Output()] = None,
) -> None:
    """Explain why one picture is ambiguous, and on request which part of it is."""
    from url_viz.columns.measures import shown_reason
    from url_viz.export.selection import ids_of_paths

    image_id = int(ids_of_paths(image_set, [str(picture)])[0])
    row = image_set.row(image_id)
    print(f"{row['path']}: {_value(image_set, row)}")
    for reason in image_set.reasons([image_id]).itertuples():
        print(f"  {reason.strength:.2f}  {shown_reason(str(reason.reason))}: {reason.detail}")
    if not row["reasons"]:
        print("  None of the known reasons.")
    if heat is not None:
        _write_heat(image_set, image_id, heat)


def _value(image_set: "ImageSet", row: dict[str, Any]) -> str:
    """The leading measure of a picture, else the general model's; with classes, between which two it lies."""
    from url_viz.columns.measures import UNCERTAINTY
    from url_viz.columns.ranking import percentile_of_each
    from url_viz.labels.ambiguity import between

    name = image_set.order().measure or UNCERTAINTY.name
    if not math.isfinite(row[name]):
        return "no value yet"
    lies = between(row["first_class"], row["second_class"])
    rank = percentile_of_each(image_set.table(), name)[image_set.core.row_of(row["id"])]
    value = f"{name} {row[name]:.4g}, above {rank:.0f} % of this set"
    return f"{value}, {lies}" if lies else value


def _write_heat(image_set: "ImageSet", image_id: int, out: Path) -> None:
    from url_viz.export.figure import require_png, write_png
    from url_viz.imaging.decode import decode
    from url_viz.outside.occlusion import heat_in_words, over

    require_png(out)
    heat = image_set.heat(image_id)
    picture, _ = decode(image_set.files.data(image_id), short_side_px=PICTURE_PX, rendering=image_set.core.rendering)
    picture.thumbnail((PICTURE_PX, PICTURE_PX))
    write_png(over(picture, heat), out)
    print(f"{heat_in_words(heat)} The picture with its map: {out}")
