"""The command line: embed, rank, search, demo, and the commands of the other modules in this folder."""

import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import pandas as pd
from tyro.conf import Positional, arg

from url_viz.cli import (
    answers_command,
    columns_command,
    compare_command,
    decide_command,
    evaluate_command,
    export_command,
    findings_command,
    heads_command,
    labels_command,
    map_command,
    models_command,
    names_command,
    reasons_command,
    review_command,
    sets_command,
    worth_command,
)
from url_viz.cli.printing import PrintingApp, progress_shown
from url_viz.errors import UrlVizError, UsageError
from url_viz.jobs.arguments import DEFAULT, Folder, ModelName, WorkspaceDir, bound
from url_viz.jobs.configs import EmbedConfig
from url_viz.options import Count, OptionalPercentile
from url_viz.progress import Progress, command_report
from url_viz.roots import refuse_credentials
from url_viz.terminal_text import printable

if TYPE_CHECKING:
    from url_viz.cluster.on_ray import OnRay
    from url_viz.image_set import ImageSet
    from url_viz.subjects.set_search import SearchResult

app = PrintingApp()
STRICT_STATUS = 3


@app.command_on(EmbedConfig, name="embed")
def embed(config: EmbedConfig) -> int:
    """Embed the pictures of a folder; return the exit status."""
    from url_viz.cli.columns_command import given_for
    from url_viz.image_set import embed_folder
    from url_viz.models.model import load_model

    on_ray = _on_ray(config)
    own_device = config.device if on_ray is None else "cpu"  # what the workers have is theirs
    load = partial(load_model, device=own_device, precision=config.precision, workspace=config.workspace)
    given = None
    with progress_shown() as report:
        report(Progress("prepare", 0))
        if config.embeddings is not None:
            given = given_for(config.folder, config.embeddings, paths=config.paths, model=config.model)
        loaded = load(config.model) if given is None else None
        second = None if config.also is None else load(config.also)
        image_set = embed_folder(
            config.folder,
            model=loaded or config.model,
            also=second,
            embeddings=given,
            workspace=config.workspace,
            limit=config.limit,
            progress=report,
            refit=config.refit,
            within=bound(config.within),
            ray=on_ray,
        )
    if image_set.second.incomplete is not None:
        print(image_set.second.in_words(image_set.source))
    where = f"Ray ({on_ray.where})" if on_ray else loaded.runtime.device if loaded else ""
    how = f"read with {loaded.name} on {where}" if loaded else f"under {image_set.source.name!r}"
    how += f", and with {second.name} beside it" if second else ""
    print(f"{len(image_set)} pictures in {image_set.root}, {how}.")
    return STRICT_STATUS if _tell_failures(image_set) and config.strict else 0


def _tell_failures(image_set: "ImageSet") -> int:
    """Print the files that could not be read, and give how many they are."""
    failures = image_set.failures()
    if len(failures):
        print(f"{len(failures)} files could not be read:")
        for path, reason in failures.head(20).itertuples(index=False):
            print(f"  {path} {reason}")
        if len(failures) > 20:
            print(f"  … and {len(failures) - 20} more (python -m url_viz export --failures)")
    return len(failures)


def _on_ray(config: EmbedConfig) -> "OnRay | None":
    """The workers that were asked for. Raises ClusterError or UsageError for what can be seen before a model loads."""
    from url_viz.cluster.on_ray import OnRay

    if config.ray is None:
        if config.workers is not None:
            raise UsageError(f"--workers is {config.workers}, of Ray's workers. Give --ray local or --ray auto too.")
        return None
    on_ray = OnRay(config.ray, config.workers, config.device)
    on_ray.check(is_external=config.embeddings is not None)
    return on_ray


@app.command(name="rank")
def rank(
    folder: Positional[Folder],
    *,
    top: Annotated[Count, arg(help="how many pictures of each end")] = 20,
    by: Annotated[
        str | None, arg(help="a measure or any column of numbers (default: the order that holds on this set)")
    ] = None,
    twins: Annotated[bool, arg(help="show every picture of a group of twins")] = False,
    within_class: Annotated[bool, arg(help="compare each picture with its own class only")] = False,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> None:
    """Print the most ambiguous and the clearest pictures of a folder that was read."""
    from url_viz.analysis.ranking import ends, with_percentile
    from url_viz.image_set import open_image_set

    image_set = open_image_set(folder, model=model, workspace=workspace)
    measure = _leading(image_set) if by is None else by
    table = _with_between(image_set.table())
    if measure is None:
        print(_shown(table.head(top), ["path", "label"]))
        return
    numeric = [str(name) for name in table.columns if pd.api.types.is_numeric_dtype(table[name])]
    if measure not in numeric:
        raise UrlVizError(f"There is no column of numbers {measure!r}. There are: {', '.join(numeric)}.")
    if not np.isfinite(table[measure].to_numpy(dtype=float)).any():
        raise UrlVizError(f"No picture has a value of {measure!r} under the model {model!r}. Choose another with --by.")
    if within_class and table["label"].isna().all():
        raise UrlVizError("There are no classes to rank within. Choose some with `python -m url_viz labels FOLDER`.")
    ranked = with_percentile(table, measure, within_class=within_class)
    both = ends(ranked, by="rank_percentile" if within_class else measure, collapse_twins=not twins)
    for title, rows in (("Most ambiguous", both.ambiguous), ("Clearest", both.clear)):
        print(f"{title} by {measure}:")
        print(_shown(rows.head(top), [measure, "path", "label", "between", "twins"]))


@app.command(name="search")
def search(
    folder: Positional[Folder],
    query: Positional[Annotated[Path, arg(help="the picture to search with")]],
    *,
    k: Annotated[Count, arg(help="how many pictures to find")] = 24,
    by: Annotated[str | None, arg(help="the measure to withhold by (default: the order that holds here)")] = None,
    max_percentile: Annotated[
        OptionalPercentile, arg(help="withhold pictures above this percentile of the measure")
    ] = None,
    without_dropped: Annotated[bool, arg(help="withhold pictures that were decided to be dropped")] = False,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> None:
    """Find the pictures most similar to a file, with ambiguous ones withheld on request."""
    from url_viz.image_set import open_image_set

    image_set = open_image_set(folder, model=model, workspace=workspace)
    result = image_set.safe_search(query, k=k, by=by, max_percentile=max_percentile, without_dropped=without_dropped)
    if max_percentile is not None:
        _say_of_query(result, max_percentile)
    print(_shown(_with_between(result.hits), ["similarity", *filter(None, [result.by]), "path", "label", "between"]))
    if len(result.withheld):
        noun = "picture was" if len(result.withheld) == 1 else "pictures were"
        why = "" if max_percentile is None else f": above percentile {max_percentile:g} of {result.by}"
        why += " or dropped" if max_percentile is not None and without_dropped else ""
        print(f"{len(result.withheld)} nearer {noun} withheld{why}.")


def _leading(image_set: "ImageSet") -> str | None:
    """The measure that leads on this set; its reason is told on stderr, so that stdout holds the lists alone."""
    order = image_set.order()
    print(order.reason, file=sys.stderr)
    return order.measure


def _say_of_query(result: "SearchResult", max_percentile: float) -> None:
    """Tell on stderr that the query itself is above the bound, or that it cannot be told."""
    if np.isnan(result.query_percentile):
        print(f"The query has no {result.by or 'measure'} here.", file=sys.stderr)
    elif result.query_percentile > max_percentile:
        at = f"percentile {result.query_percentile:.0f} of {result.by}"
        print(f"The query itself is above the bound: it is at {at}.", file=sys.stderr)


def _with_between(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the two classes between which each picture lies, as words; without the column if none is known."""
    from url_viz.analysis.between import between

    pairs = zip(table["first_class"], table["second_class"], strict=True)
    words = [(between(first, second) or "").removeprefix("between ") for first, second in pairs]
    return table.assign(between=pd.Series(words, index=table.index, dtype=object).replace("", None))


@app.command(name="demo")
def demo(*, model: ModelName = DEFAULT, workspace: WorkspaceDir = None) -> None:
    """Build and read the demo image set, and print whether each value finds the known degradations."""
    from url_viz.demo import build_demo, measure
    from url_viz.image_set import embed_folder
    from url_viz.workspace import Workspace

    root = build_demo(Workspace.at(workspace))
    image_set = embed_folder(root, model=model, workspace=workspace, progress=command_report())
    print(f"{len(image_set)} views in {root}.")
    print("Spearman of value and strength of degradation within a photograph, mean over photographs (1 is perfect):")
    columns = ("uncertainty", "confusability", "entropy", "inverse_norm")
    print(measure(image_set.table(), columns=columns).round(2).to_string())


for topic in (
    models_command,
    sets_command,
    decide_command,
    answers_command,
    names_command,
    export_command,
    columns_command,
    reasons_command,
    compare_command,
    map_command,
    labels_command,
    findings_command,
    review_command,
    worth_command,
    evaluate_command,
    heads_command,
):
    topic.register(app)


def main(
    arguments: Sequence[str] | None = None, *, prog: str = "python -m url_viz", description: str | None = None
) -> int:
    """Run the command line; users' errors are one line on stderr and status 1, or 2 for a wrong option."""
    try:
        refuse_credentials(sys.argv[1:] if arguments is None else arguments)
        status = app.cli(prog=prog, args=arguments, description=description)
        sys.stdout.flush()
    except UrlVizError as error:
        print(f"error: {printable(' '.join(str(error).splitlines()))}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print("\nStopped. What was read is kept; the same command goes on from here.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # or Python reports an error when it flushes at exit
        return 141
    return int(status or 0)


def _shown(table: pd.DataFrame, columns: Sequence[str]) -> str:
    shown = [c for c in columns if c in table and not table[c].isna().all()]
    if not len(table):
        return "(none)"
    return table[shown].to_string(index=False, na_rep="–", float_format=lambda value: f"{value:.4f}")
