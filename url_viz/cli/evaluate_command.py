"""The command that evaluates an image set: how well each measure tells where the nearest is of another class."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

from url_viz.cli.command_app import app
from url_viz.errors import ImageSetError
from url_viz.files import require_parent

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet


@app.on_set()
def evaluate(
    image_set: "ImageSet",
    *,
    json: Annotated[Path | None, arg(help="also write every figure, tenths and classes to this file")] = None,
) -> None:
    """Print recall@1 of a folder with classes, and R-AUROC of every measure with its interval, beside the baselines.

    The figures of the app's page Evaluate. Of a head and pictures that no set was read of: `training.evaluate`.
    """
    from url_viz.analysis.evaluation import NEEDED
    from url_viz.export.evaluation_files import write_evaluation

    require_parent(json)
    evaluated = image_set.evaluate()
    if evaluated is None:
        raise ImageSetError(
            f"{NEEDED} Choose other classes with `python -m url_viz labels {image_set.root}`, or add pictures."
        )
    print(f"Recall@1 {100 * evaluated.pictures.recall:.1f} %, {evaluated.recall_words}")
    print(evaluated.shown().to_string(index=False))
    print("\n".join(filter(None, (evaluated.verdict, evaluated.how_to_read))))
    if json is not None:
        print(f"Every figure is in {write_evaluation(image_set, evaluated, json)}.")
