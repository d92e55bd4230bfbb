"""Commands on how good labels and orders are: doubtful ones, overlapping classes, measures, models, a review's gain."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typing_extensions import Doc
from tyro.conf import arg

from url_viz.base.command_line import Count, Output
from url_viz.base.errors import ImageSetError
from url_viz.base.wording import command, counted
from url_viz.cli.command_app import app, table_text

if TYPE_CHECKING:
    import pandas as pd

    from url_viz.image_set import ImageSet


KindName = Literal["between-classes", "conflicting-copies", "out-on-its-own", "does-not-show-its-label"]
Top = Annotated[Count, Doc("how many to print")]


@app.on_set()
def evaluate(
    image_set: "ImageSet",
    *,
    json: Annotated[Path | None, Doc("also write every figure, tenths and classes to this file"), Output()] = None,
) -> None:
    """Print recall@1 of a folder with classes, and R-AUROC of every measure with its interval, beside the baselines.

    The figures of the app's page Model. Of a head and pictures that no set was read of: `training.evaluate`.
    """
    from url_viz.evidence.evaluation import NEEDED, by_two_models
    from url_viz.export.result_files import write_evaluation

    evaluated = image_set.evaluate()
    if evaluated is None:
        raise ImageSetError(
            f"{NEEDED} Choose other classes with `{command('labels', image_set.root)}`, or add pictures."
        )
    print(f"Recall@1 {100 * evaluated.pictures.recall:.1f} %, {evaluated.recall_words}")
    print(evaluated.shown().to_string(index=False))
    second = image_set.core.second.active
    by_two = by_two_models(second.title) if second else ""
    print("\n".join(filter(None, (evaluated.verdict, evaluated.gaps, evaluated.how_to_read, by_two))))
    if json is not None:
        print(f"Every figure is in {write_evaluation(image_set, evaluated, json)}.")


@app.on_set()
def compare(
    image_set: "ImageSet",
    *,
    other: Annotated[str, arg(name="with"), Doc("the second model; the folder was read with both")],
    top: Annotated[Count, Doc("how many pictures to list that they disagree on, each way")] = 10,
) -> None:
    """Compare two models or heads on a folder: order, most ambiguous tenth, neighbours, and where they disagree."""
    from url_viz.evidence.compare import agreement_in_words, difference_in_words, disagreements, neighbours_in_words
    from url_viz.image_set import open_image_set

    second = open_image_set(image_set.root, model=other, workspace=image_set.workspace.root)
    comparison = image_set.compare(second)
    if not comparison.measures and comparison.neighbourhoods is None:
        both = f"{image_set.source.name!r} and {other!r}"
        raise ImageSetError(f"Too few pictures of {str(image_set.root)!r} have a value under both {both}.")
    titles = f"{image_set.source.title} (first) and {second.source.title} (second)"
    print(f"{titles}, {counted(comparison.shared, 'picture')}:")
    for measure in comparison.measures.values():
        print("\n".join(filter(None, (agreement_in_words(measure), difference_in_words(measure)))))
    if "uncertainty" not in comparison.measures:
        print("There is no uncertainty under both: one of them has no head.")
    if comparison.neighbourhoods is not None:
        print(neighbours_in_words(comparison.neighbourhoods))
    for measure in comparison.measures.values():
        for title, rows in zip(("second", "first"), disagreements(measure, most=top), strict=True):
            if len(rows):
                print(f"More ambiguous to the {title} model by {measure.measure}:")
                print(_shown(rows))


@app.on_set()
def second(
    image_set: "ImageSet",
    *,
    ask: Annotated[Literal["yes", "no"] | None, Doc("whether the second model is asked from now on")] = None,
) -> None:
    """Say whether a second model is asked too; choose whether it is (`embed --also NAME` makes one read a folder)."""
    if ask is not None:
        image_set.core.second.enable(is_enabled=ask == "yes")
    print(image_set.core.second.in_words(image_set.source))


def _shown(rows: "pd.DataFrame") -> str:
    shown = rows[["before", "after", "path", "label"]].rename(columns={"before": "first", "after": "second"})
    shown = shown.drop(columns=["label"]) if shown["label"].isna().all() else shown
    return table_text(shown, "{:.0f}")
