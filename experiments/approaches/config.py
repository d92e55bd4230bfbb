"""The configuration of the comparison of approaches: what it trains on, what it measures on, and how long."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typing_extensions import Doc

from training.config import Epochs, Paired, PositiveFraction, Repeats
from url_viz.base.command_line import Checked, OptionalCount


@dataclass(frozen=True)
class ApproachesConfig(Checked):
    """Train URL's approaches and ours on the same caches, and measure how truly each orders labelled sets."""

    cache: Annotated[
        tuple[Path, ...],
        Doc("Folder written by training.cache with --target labels and --views 2 or more; again for each source."),
    ]
    data: Annotated[
        tuple[str, ...], Doc("Labelled pictures to measure on: folder:PATH (or a bare path), again for more sets.")
    ]
    out: Annotated[Path, Doc("Folder for figures, table and drawing; a run that was stopped goes on here.")]
    approach: Annotated[tuple[str, ...], Doc("Only these approaches, by name; empty means all.")] = ()
    epochs: Annotated[Epochs, Doc("Epochs of every training.")] = 10
    batch: Annotated[Paired, Doc("Pictures of an optimiser step.")] = 128
    seeds: Annotated[Repeats, Doc("Seeds with the setting that was chosen.")] = 3
    held_out: Annotated[PositiveFraction, Doc("Share of pictures held out of training, for choosing the setting.")] = (
        0.2
    )
    device: Annotated[str, Doc("Where the backbone runs: auto, cuda, cpu or mps.")] = "auto"
    limit: Annotated[OptionalCount, Doc("Number of pictures of each set to measure on, spread over it.")] = None
