"""A worker: loads the models once, then reads and embeds the files that it is given."""

import importlib
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from url_viz.errors import ClusterError, UrlVizError
from url_viz.imaging.rendering import Rendering
from url_viz.imaging.scan import ScannedFile
from url_viz.imaging.source import source_of
from url_viz.imaging.workers import Decoders
from url_viz.models.model import Model, load_model
from url_viz.models.runtime import Precision
from url_viz.pipeline.embedded import EmbeddedFiles, Embedding, embed_files, joined_files

VERSION: str = importlib.import_module("url_viz").__version__
"""Of this machine's URL-Viz."""


@dataclass(frozen=True)
class WorkerConfig:
    """What a worker needs to start: `models` by name with the keys of their spaces, and the `root` of the pictures.

    Nothing outside the folders `within`, if given, is read. `cores` are for this worker alone. There are no secrets:
    credentials for a bucket are in each machine's environment.
    """

    models: tuple[tuple[str, str], ...]
    precision: Precision
    rendering: Rendering | None
    device: str
    workspace: Path
    root: Path
    within: Sequence[Path] | None
    cores: int
    version: str = VERSION


class Worker:
    """Runs in a separate process, perhaps on another machine. An error of ours is returned, and ends the run."""

    def open(self, config: WorkerConfig, known: NDArray[np.int64], *embedded: NDArray[np.int64]) -> UrlVizError | None:
        """Load the models; `known` contents are not decoded, `embedded` ones not embedded again, by model."""
        try:
            self._embedding = _opened(config, known, embedded)
        except UrlVizError as error:
            return ClusterError(f"A worker on {socket.gethostname()!r} cannot start: {error}")
        self._cores = config.cores
        self._decoders = Decoders(max(2, config.cores))  # two: one that hangs does not block the others
        return None

    def embed(self, files: Sequence[ScannedFile]) -> EmbeddedFiles | UrlVizError:
        """What becomes of files."""
        try:
            return joined_files(list(embed_files(self._embedding, files, by=self._decoders, at_a_time=self._cores)))
        except UrlVizError as error:
            return error


def _opened(config: WorkerConfig, known: NDArray[np.int64], embedded: Sequence[NDArray[np.int64]]) -> Embedding:
    if config.version != VERSION:
        raise ClusterError(
            f"it has URL-Viz {VERSION}, and the command is of {config.version}. Install the same on all."
        )
    models = [_loaded(name, key, config) for name, key in config.models]
    contents = [set(each.tolist()) for each in embedded]
    return Embedding(models, source_of(config.root, within=config.within), set(known.tolist()), contents)


def _loaded(name: str, space_key: str, config: WorkerConfig) -> Model:
    model = load_model(name, device=config.device, precision=config.precision, workspace=config.workspace)
    model = model.seeing(config.rendering)
    if model.space.key != space_key:
        raise ClusterError(
            f"its weights of {name!r} are others than where the command runs. Give both the same file, or the same "
            "package of weights."
        )
    return model
