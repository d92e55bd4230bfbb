"""What tests of reading a folder share: a reader that counts, and what is true of every image set."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from url_viz.base.progress import Progress
from url_viz.image_set import ImageSet
from url_viz.imaging.places import image_id
from url_viz.models.model import Model
from url_viz.models.runtime import Outputs, Runtime, Wait
from url_viz.reading import embed_folder
from url_viz.store.tables.reader import Store
from url_viz.store.tables.writer import Writer


class Counting:
    """A runtime that counts the pictures it runs."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.pictures = 0

    @property
    def device(self) -> str:
        return self.runtime.device

    @property
    def batch(self) -> int:
        return self.runtime.batch

    @property
    def ahead(self) -> int:
        return self.runtime.ahead

    def start(self, crops: NDArray[np.uint8]) -> Wait:
        self.pictures += len(crops)
        return self.runtime.start(crops)

    def run(self, crops: NDArray[np.uint8]) -> Outputs:
        return self.start(crops)()

    def run_pixels(self, pixels: NDArray[np.float32]) -> Outputs:
        return self.runtime.run_pixels(pixels)


class Reader:
    """Reads one folder into one workspace, again and again, and tells what the last run did."""

    def __init__(self, folder: Path, workspace: Path, model: Model) -> None:
        self.folder, self.workspace = folder, workspace
        self._runtime = Counting(model.runtime)
        self.model = Model(model.source, model.space, self._runtime)
        self.progress: list[Progress] = []
        self.embedded = 0

    def __call__(self, **options: Any) -> ImageSet:
        self.progress.clear()
        before = self._runtime.pictures
        try:
            return embed_folder(
                self.folder, model=self.model, workspace=self.workspace, progress=self.progress.append, **options
            )
        finally:
            self.embedded = self._runtime.pictures - before

    @property
    def opened(self) -> int | None:
        """How many files the last run opened."""
        return next((p.total for p in self.progress if p.stage == "read"), None)

    def writer(self, image_set: ImageSet) -> Writer:
        return Writer(Store(image_set.core.store.paths).paths, self.folder)


def names(image_set: ImageSet) -> list[str]:
    return image_set.table()["path"].tolist()


def is_consistent(image_set: ImageSet, model: Model) -> None:
    """No row is doubled, every row has its embedding, and every value is what the model says of the file."""
    table, store = image_set.table(), image_set.core.store
    assert table["id"].is_unique
    assert table["id"].tolist() == [image_id(os.fsencode(path)) for path in table["path"]]
    contents = store.embedded(image_set.space.key).content
    assert len(set(contents.tolist())) == len(contents)
    assert np.isfinite(image_set.embeddings()).all()
    assert np.isfinite(table[["x", "y", "entropy", "inverse_norm"]].to_numpy()).all()
    some = slice(None, None, 1 + len(table) // 50)
    fresh = model.predict([image_set.files.path(i) for i in table["id"][some]])
    ours = image_set.embeddings()[some]
    cosine = (ours * fresh.embedding).sum(axis=1) / np.linalg.norm(ours, axis=1)
    assert (cosine / np.linalg.norm(fresh.embedding, axis=1) > 0.995).all()
    scored = model.uncertainty(image_set.embeddings())
    assert table["uncertainty"].to_numpy() == pytest.approx(scored, rel=1e-4, nan_ok=True)
    assert set(store.thumbnails(table["id"])) == set(table["id"])
