"""The command that compares two models on the same pictures."""

from typing import Annotated

import pandas as pd
from tyro.conf import Positional, arg

from url_viz.cli.arguments import DEFAULT, Folder, ModelName, WorkspaceDir
from url_viz.cli.printing import PrintingApp
from url_viz.errors import ImageSetError


def register(app: PrintingApp) -> None:
    """Add this command to the command line."""
    app.command(name="compare")(compare)


def compare(
    folder: Positional[Folder],
    *,
    other: Annotated[str, arg(name="with", help="the second model; the folder was read with both")],
    model: ModelName = DEFAULT,
    top: Annotated[int, arg(help="how many pictures to list that they disagree on, each way")] = 10,
    workspace: WorkspaceDir = None,
) -> None:
    """Compare two models or heads on a folder: order, most ambiguous tenth, neighbours, and where they disagree."""
    from url_viz.analysis.compare import disagreements, in_words, neighbours_in_words
    from url_viz.image_set import open_image_set

    first, second = (open_image_set(folder, model=name, workspace=workspace) for name in (model, other))
    comparison = first.compare(second)
    if not comparison.measures and comparison.neighbourhoods is None:
        raise ImageSetError(f"Too few pictures of {str(folder)!r} have a value under both {model!r} and {other!r}.")
    print(f"{first.source.title} (first) and {second.source.title} (second), {comparison.shared:,} pictures:")
    for measure in comparison.measures.values():
        print(in_words(measure))
    if "uncertainty" not in comparison.measures:
        print("There is no uncertainty under both: one of them has no head.")
    if comparison.neighbourhoods is not None:
        print(neighbours_in_words(comparison.neighbourhoods))
    for measure in comparison.measures.values():
        for title, rows in zip(("second", "first"), disagreements(measure, most=top), strict=True):
            if len(rows):
                print(f"More ambiguous to the {title} model by {measure.measure}:")
                print(_shown(rows))


def _shown(rows: pd.DataFrame) -> str:
    shown = rows[["before", "after", "path", "label"]].rename(columns={"before": "first", "after": "second"})
    shown = shown.drop(columns=["label"]) if shown["label"].isna().all() else shown
    return shown.to_string(index=False, float_format="{:.0f}".format)
