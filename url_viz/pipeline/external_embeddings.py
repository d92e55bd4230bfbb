"""Embeddings that a user brings from elsewhere: checked, fitted into float16, and known by picture.

They stand where a model stands in the pipeline, but read no pixels: pictures are decoded only for their thumbnails.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from url_viz.errors import FolderError
from url_viz.imaging.preprocess import Preprocessing
from url_viz.imaging.scan import Scan, ScannedFile
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.models.head import Head
from url_viz.models.model import EXTERNAL, LARGEST, EmbeddingSpace, ModelSource
from url_viz.models.runtime import Outputs
from url_viz.store.columns.imported_columns import import_name
from url_viz.store.columns.user_arrays import MOST_NUMBERS
from url_viz.store.columns.user_files import Matrix, UserFile, opened, read_user_file
from url_viz.store.columns.user_paths import match_file

SMALL = 1e-3
"""Rows whose largest value is below this lose figures in float16."""
SCALED_LENGTH = 32.0
_EMBEDDING_NAMES = ("embed", "vector", "feature", "emb")


@dataclass(frozen=True)
class Given:
    """Embeddings (M, D) float16 of M pictures of one folder, by the ids of their paths (`row`).

    `words` are sentences about the file, for the user.
    """

    space: EmbeddingSpace
    row: Mapping[int, int]
    embedding: NDArray[np.float16]
    words: tuple[str, ...] = ()
    head: Head | None = None

    @property
    def source(self) -> ModelSource:
        """The name that opens the image set under these embeddings."""
        return ModelSource(self.space.backbone, self.space.backbone, None)

    def outputs_for(self, files: Iterable[ScannedFile]) -> Outputs:
        """The embeddings (B, D) of files, without logits."""
        rows = self.embedding[[self.row[file.id] for file in files]].astype(np.float32)
        return Outputs(np.zeros((len(rows), 0), np.float32), rows)


def given_embeddings(
    file: str | Path | IncomingFile,
    scan: Scan,
    *,
    paths: str | Path | IncomingFile | None = None,
    name: str | None = None,
) -> Given:
    """Read embeddings from a .npy, .npz or .parquet file and match them to the files of a folder by path.

    `paths` lists the paths of a .npy's rows. `name` (the file's by default) names the space: `own:NAME`. Embeddings
    that float16 cannot hold are scaled row by row, which leaves every cosine as it is. Raises FolderError if a value
    is not finite, or nothing matches.
    """
    source = opened(file)
    path_file = None if paths is None else opened(paths)
    table = read_user_file(source, paths=path_file, pictures=len(scan.files))
    matrix = _matrix(table)
    matched = match_file(table, [file.path for file in scan.files], root=scan.root)
    taken = np.flatnonzero(matched.row >= 0)
    embedding, scaled = in_float16(matrix[taken])
    digest = hashlib.blake2b(source.data, digest_size=8)
    if path_file is not None:  # other paths make other embeddings of the same values
        digest.update(path_file.data)
    called = import_name(name.removeprefix(EXTERNAL) if name else Path(source.name).stem)
    space = EmbeddingSpace(f"{EXTERNAL}{called}", digest.hexdigest(), Preprocessing(), "float32")
    row = {scan.files[place].id: number for number, place in enumerate(matched.row[taken])}
    sentences = matched.words(table.name, whole="folder")
    if len(scan.files) > matched.count:
        sentences.append(f"{len(scan.files) - matched.count:,} pictures have no embedding, and are not shown under it.")
    if scaled:
        sentences.append(f"{scaled:,} embeddings were scaled to fit: cosines stay, 1/norm means nothing for them.")
    return Given(space, row, embedding, tuple(sentences))


def in_float16(matrix: Matrix) -> tuple[NDArray[np.float16], int]:
    """A matrix (M, D) as float16, and how many rows were scaled for it: to one length, which changes no cosine."""
    rows = matrix.astype(np.float64)
    largest = np.abs(rows).max(axis=1)
    needs = (largest > LARGEST) | ((largest < SMALL) & (largest > 0))
    rows[needs] /= largest[needs, None]  # first, so that the squares below stay in range
    rows[needs] *= SCALED_LENGTH / np.linalg.norm(rows[needs], axis=1, keepdims=True)
    return rows.astype(np.float16), int(needs.sum())


def _matrix(table: UserFile) -> Matrix:
    """The only matrix of a file that can be embeddings. Raises FolderError without one, or if it is not finite."""
    named = [name for name in table.lists if any(word in name.casefold() for word in _EMBEDDING_NAMES)]
    names = named if len(named) == 1 else list(table.lists)
    if len(names) != 1:
        raise FolderError(
            f"{table.name!r} has to hold one column of lists of numbers (embeddings), and holds "
            f"{', '.join(map(repr, names)) or 'none'}. Give a .npy, .npz or .parquet file with one embedding a picture."
        )
    matrix = table.lists[names[0]]
    if not 2 <= matrix.shape[1] <= MOST_NUMBERS:
        raise FolderError(
            f"The embeddings in {table.name!r} have {matrix.shape[1]} numbers; 2 to {MOST_NUMBERS:,} are."
        )
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if len(bad):
        raise FolderError(
            f"{len(bad):,} embeddings in {table.name!r} hold values that are not finite "
            f"(first: {table.paths[bad[0]]!r}). Leave these rows out, or embed their pictures again."
        )
    return matrix
