"""The command that compares a detector's predictions with the objects of a set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from url_viz.cli.command_app import app
from url_viz.cli.printing import print_rest, table_text, write_rows
from url_viz.jobs.arguments import TableOut
from url_viz.options import Count, Fraction

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet


@app.on_set()
def predictions(
    image_set: "ImageSet",
    file: Positional[Annotated[Path, arg(help="COCO results (.json), or a folder of YOLO labels with confidences")]],
    *,
    names: Annotated[Path | None, arg(help="a data.yaml, or a class a line, that names the detector's numbers")] = None,
    least_score: Annotated[Fraction, arg(help="predictions below this score do not count")] = 0.25,
    run: Annotated[str | None, arg(help="record the classes of found objects as a run of this name, too")] = None,
    split: Annotated[str, arg(help="with --run: `train` if the detector was trained on these pictures")] = "val",
    top: Annotated[Count, arg(help="how many predictions of no object to list")] = 10,
    out: TableOut = None,
) -> None:
    """Match a detector's predictions to objects: columns, and reviews of what it missed or calls something else.

    Predictions of no object are listed, or written with --out.
    """
    brought = image_set.objects.predictions(file, names=names, least_score=least_score, run=run, split=split)
    print("\n".join(brought.words))
    invented = brought.found.invented
    if not write_rows(invented, out, "prediction of no object", "predictions of no object") and len(invented):
        print(table_text(invented.head(top)))
        print_rest(len(invented), top, "--top")
    print(f"Review: python -m url_viz review {image_set.root} --by other-class (or missed)")
