"""Commands on how good labels and orders are: doubtful ones, overlapping classes, measures, models, a review's gain."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typing_extensions import Doc
from tyro.conf import arg

from url_viz.base.command_line import Count, Output
from url_viz.base.errors import ImageSetError
from url_viz.base.progress import Progress
from url_viz.base.wording import command, counted
from url_viz.cli.command_app import app, progress_shown, table_text, write_rows
from url_viz.jobs.configs import TableOut, WorthConfig

if TYPE_CHECKING:
    import pandas as pd

    from url_viz.evidence.order_metrics import Figure
    from url_viz.image_set import ImageSet


KindName = Literal["between-classes", "conflicting-copies", "out-on-its-own", "does-not-show-its-label"]
Top = Annotated[Count, Doc("how many to print")]


@app.on_set()
def suspects(
    image_set: "ImageSet",
    *,
    top: Top = 20,
    kind: Annotated[KindName | None, Doc("pictures of this kind instead")] = None,
    accept: Annotated[bool, Doc("give those likely wrong the suggested class; `undo` takes it back")] = False,
    out: TableOut = None,
) -> None:
    """Print the labels to look at, the most doubtful first, with the class to ask about; how many may be wrong."""
    from url_viz.labels.label_issues import NO_CLASSES

    check, doubtful = image_set.labels.check(), image_set.labels.doubtful()
    if check is None or doubtful is None:
        raise ImageSetError(NO_CLASSES)
    pictures = doubtful.rows if kind is None else check.of_kind(kind.replace("-", " "))
    if accept:
        print(f"{image_set.labels.accept(pictures['id'].tolist()).sentence}.")
        return
    if write_rows(pictures, out, "picture"):
        return
    labelled, classes = counted(len(check.pictures), "labelled picture"), counted(len(check.classes), "class")
    print(f"{doubtful.words}. Of {labelled} of {classes}.")
    chance = ["wrong"] if doubtful.are_chances_known else []  # it is too uncertain to be read where all may be right
    said = ["reason"] if kind is None else ["support", "neighbours"]
    shown = pictures.head(top)[[*chance, "kind", "label", "suggested", *said, "path"]]
    print(table_text(shown.fillna("–")))


@app.on_set()
def confused(image_set: "ImageSet", *, top: Top = 20, out: TableOut = None) -> None:
    """Print pairs of classes that overlap: how many pictures look like the other, and what share of each class."""
    from url_viz.labels.label_issues import NO_CLASSES

    pairs = image_set.labels.confused()
    if pairs is None:
        raise ImageSetError(NO_CLASSES)
    if not write_rows(pairs, out, "pair"):
        print(table_text(pairs.head(top), "{:.1%}"))


@app.command_on(WorthConfig)
def worth(config: WorthConfig) -> None:
    """Print what dropping pictures and correcting labels was worth to a linear probe, on pictures left alone."""
    from url_viz.base.records import sealed_text
    from url_viz.evidence.worth import METRICS
    from url_viz.export.table_files import write_bytes
    from url_viz.image_set import open_image_set

    with progress_shown() as report:
        report(Progress("worth", 0))
        image_set = open_image_set(config.folder, model=config.model, workspace=config.workspace)
        result = image_set.labels.worth(seeds=config.seeds)
    print(result.words)
    if config.out is not None and config.out.suffix == ".json":
        print(f"The figures are in {write_bytes(sealed_text(result).encode(), config.out)}.")
        return
    print(f"{'':<36}{'accuracy':<28}log loss")
    for arm in result.arms:
        right, loss = (_with_interval(result.figure(arm, metric)) for metric in METRICS)
        print(f"{arm:<36}{right:<28}{loss}")
    if len(result.differing):
        print("Classes with a measurable difference:")
        print(table_text(result.differing))
    write_rows(result.by_class, config.out, "class")


def _with_interval(figure: "Figure") -> str:
    return f"{figure.value:.3f} ({figure.interval.low:.3f} to {figure.interval.high:.3f})"


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
