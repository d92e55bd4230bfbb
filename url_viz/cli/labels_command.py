"""Commands that check the labels of an image set: likely label errors, and confused classes."""

from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import arg

from url_viz.cli.command_app import app
from url_viz.cli.printing import table_text, write_rows
from url_viz.errors import ImageSetError
from url_viz.jobs.arguments import TableOut
from url_viz.options import Count
from url_viz.wording import counted

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet

KindName = Literal["label-error", "ambiguous", "conflicting-copies", "out-on-its-own"]
Top = Annotated[Count, arg(help="how many to print")]


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
