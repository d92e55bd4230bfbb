"""Commands on two models that have read the same pictures: compare them, or judge the pictures by both."""

from typing import Annotated, Literal

import pandas as pd
from tyro.conf import Positional, arg

from url_viz.cli.printing import PrintingApp
from url_viz.errors import ImageSetError
from url_viz.jobs.arguments import DEFAULT, Folder, ModelName, WorkspaceDir
from url_viz.options import Count


def register(app: PrintingApp) -> None:
    """Add these commands to the command line."""
    app.command(name="compare")(compare)
    app.command(name="second")(second)


def compare(
    folder: Positional[Folder],
    *,
    other: Annotated[str, arg(name="with", help="the second model; the folder was read with both")],
    model: ModelName = DEFAULT,
    top: Annotated[Count, arg(help="how many pictures to list that they disagree on, each way")] = 10,
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


def second(
    folder: Positional[Folder],
    *,
    ask: Annotated[Literal["yes", "no"] | None, arg(help="whether the second model is asked from now on")] = None,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> None:
    """Say whether a second model is asked too; choose whether it is (`embed --also NAME` makes one read a folder)."""
    from url_viz.image_set import open_image_set

    image_set = open_image_set(folder, model=model, workspace=workspace)
    if ask is not None:
        image_set.second.enable(is_enabled=ask == "yes")
        image_set = open_image_set(folder, model=model, workspace=workspace)
    print(image_set.second.in_words(image_set.source))


def _shown(rows: pd.DataFrame) -> str:
    shown = rows[["before", "after", "path", "label"]].rename(columns={"before": "first", "after": "second"})
    shown = shown.drop(columns=["label"]) if shown["label"].isna().all() else shown
    return shown.to_string(index=False, float_format="{:.0f}".format)
