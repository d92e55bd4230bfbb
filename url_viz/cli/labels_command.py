"""Commands that check the labels of an image set: likely label errors, and confused classes."""

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from url_viz.cli.printing import PrintingApp
from url_viz.errors import ImageSetError
from url_viz.jobs.arguments import DEFAULT, Folder, ModelName, WorkspaceDir
from url_viz.options import Count

KindName = Literal["label-error", "ambiguous", "conflicting-copies", "out-on-its-own"]
Out = Annotated[Path | None, arg(help="write a .csv or .parquet file instead of printing")]
Top = Annotated[Count, arg(help="how many to print")]


def register(app: PrintingApp) -> None:
    """Add these commands to the command line."""
    app.command(name="suspects")(suspects)
    app.command(name="confused")(confused)


def suspects(
    folder: Positional[Folder],
    *,
    top: Top = 20,
    kind: Annotated[KindName | None, arg(help="only pictures of this kind")] = None,
    accept: Annotated[bool, arg(help="give them the suggested class; `undo` takes it back")] = False,
    out: Out = None,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> None:
    """Print pictures whose label may be wrong, the most doubtful first, with the suggested class."""
    from url_viz.analysis.label_issues import NO_CLASSES
    from url_viz.export.table_files import write_table
    from url_viz.image_set import open_image_set

    image_set = open_image_set(folder, model=model, workspace=workspace)
    check = image_set.labels.check()
    if check is None:
        raise ImageSetError(NO_CLASSES)
    pictures = check.suspects
    if kind is not None:
        pictures = pictures[pictures["kind"] == kind.replace("-", " ")]
    if accept:
        print(f"{image_set.labels.accept(pictures['id'].tolist()).sentence}.")
        return
    if out is not None:
        print(f"{len(pictures):,} pictures in {write_table(pictures, out)}.")
        return
    print(f"{check.headline} Of {len(check.pictures):,} labelled pictures of {len(check.classes):,} classes.")
    shown = pictures.head(top)[["score", "kind", "label", "suggested", "support", "neighbours", "path"]]
    print(
        shown.fillna("–").to_string(index=False, float_format=lambda score: f"{score:.3f}") if len(shown) else "(none)"
    )


def confused(
    folder: Positional[Folder],
    *,
    top: Top = 20,
    out: Out = None,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> None:
    """Print pairs of confused classes: how many pictures, and what share of each class."""
    from url_viz.analysis.label_issues import NO_CLASSES
    from url_viz.export.table_files import write_table
    from url_viz.image_set import open_image_set

    pairs = open_image_set(folder, model=model, workspace=workspace).labels.confused()
    if pairs is None:
        raise ImageSetError(NO_CLASSES)
    if out is not None:
        print(f"{len(pairs):,} pairs in {write_table(pairs, out)}.")
        return
    print(pairs.head(top).to_string(index=False, float_format=lambda share: f"{share:.1%}") if len(pairs) else "(none)")
