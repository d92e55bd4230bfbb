"""Commands on the labels of an image set: likely errors, confused classes, and what a review of them was worth."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import arg

from url_viz.cli.command_app import app
from url_viz.cli.printing import table_text, write_rows
from url_viz.errors import ImageSetError
from url_viz.files import require_parent
from url_viz.jobs.configs import TableOut
from url_viz.options import Count, Within
from url_viz.wording import counted

if TYPE_CHECKING:
    from url_viz.analysis.order_metrics import Figure
    from url_viz.image_set import ImageSet

KindName = Literal["label-error", "ambiguous", "conflicting-copies", "out-on-its-own"]
Top = Annotated[Count, arg(help="how many to print")]
Seeds = Annotated[int, Within(2, 1000)]


@app.on_set()
def suspects(
    image_set: "ImageSet",
    *,
    top: Top = 20,
    kind: Annotated[KindName | None, arg(help="only pictures of this kind")] = None,
    accept: Annotated[bool, arg(help="give them the suggested class; `undo` takes it back")] = False,
    out: TableOut = None,
) -> None:
    """Print pictures whose label may be wrong, the most doubtful first, with the suggested class."""
    from url_viz.analysis.label_issues import NO_CLASSES

    check = image_set.labels.check()
    if check is None:
        raise ImageSetError(NO_CLASSES)
    pictures = check.suspects
    if kind is not None:
        pictures = pictures[pictures["kind"] == kind.replace("-", " ")]
    if accept:
        print(f"{image_set.labels.accept(pictures['id'].tolist()).sentence}.")
        return
    if write_rows(pictures, out, "picture"):
        return
    labelled, classes = counted(len(check.pictures), "labelled picture"), counted(len(check.classes), "class")
    print(f"{check.headline} Of {labelled} of {classes}.")
    shown = pictures.head(top)[["score", "kind", "label", "suggested", "support", "neighbours", "path"]]
    print(table_text(shown.fillna("–")))


@app.on_set()
def confused(image_set: "ImageSet", *, top: Top = 20, out: TableOut = None) -> None:
    """Print pairs of confused classes: how many pictures, and what share of each class."""
    from url_viz.analysis.label_issues import NO_CLASSES

    pairs = image_set.labels.confused()
    if pairs is None:
        raise ImageSetError(NO_CLASSES)
    if not write_rows(pairs, out, "pair"):
        print(table_text(pairs.head(top), "{:.1%}"))


@app.on_set()
def worth(
    image_set: "ImageSet",
    *,
    seeds: Annotated[Seeds, arg(help="how often folds and random drops are dealt, 2 or more")] = 5,
    out: Annotated[Path | None, arg(help="write the figures of each class to a .csv or .parquet file")] = None,
) -> None:
    """Print what dropping pictures and correcting labels was worth to a linear probe on held-out pictures."""
    require_parent(out)
    result = image_set.labels.worth(seeds=seeds)
    print(result.words)
    print(f"{'accuracy':<28}{'labels as corrected':<28}labels as given")
    for name, arm in result.arms:
        print(f"{name:<28}{_with_interval(arm.accuracy):<28}{_with_interval(arm.under_given)}")
    if len(result.differing):
        print("Classes with a measurable difference:")
        print(table_text(result.differing))
    write_rows(result.by_class, out, "class")


def _with_interval(figure: "Figure") -> str:
    return f"{figure.value:.3f} ({figure.interval.low:.3f} to {figure.interval.high:.3f})"
