"""Commands on how good labels and orders are: doubtful ones, overlapping classes, measures, models, a review's gain."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typing_extensions import Doc

from url_viz.base.command_line import Count, Output
from url_viz.base.errors import ImageSetError
from url_viz.base.wording import command
from url_viz.cli.command_app import app

if TYPE_CHECKING:
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
