"""Pictures that come in from outside, scored in memory, ranked and placed beside an open image set."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.confusability import TEMPERATURE, confusability
from url_viz.analysis.ranking import BY, percentile
from url_viz.errors import ImageError
from url_viz.imaging.preprocess import Preprocessing
from url_viz.imaging.read import Picture
from url_viz.imaging.uploads import Incoming
from url_viz.imaging.workers import decoders
from url_viz.models.model import Model
from url_viz.pipeline.neighbours import K, build_graph
from url_viz.pipeline.projection import place
from url_viz.pipeline.twin_groups import TWIN_COSINE, twin_groups
from url_viz.rows import l2_normalize
from url_viz.store.tables import PLACED, Coordinates, Embeddings, Graph, positions_of

ROWS_AT_ONCE = 16_384
"""Rows of an image set that are held at length one at a time."""

Array = NDArray[np.float32]
TopK = tuple[NDArray[np.int64], Array]


@dataclass(frozen=True)
class Scored:
    """One upload that was read: its size, thumbnail (JPEG), embedding (D,) float16, and values of it by itself."""

    name: str
    content: int
    width: int
    height: int
    thumbnail: bytes
    embedding: NDArray[np.float16]
    uncertainty: float
    entropy: float


@dataclass(frozen=True)
class Refused:
    """One upload that is no readable picture, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Reference:
    """What uploads are compared with: N distinct pictures of an image set.

    `ids` (N,) int64, `content` (N,) int64 keys, `embedding` (N, D), `xy` (N, 2) on the map (nan where not placed yet),
    and `values`, by measure, (N,) each.
    """

    ids: NDArray[np.int64]
    content: NDArray[np.int64]
    embedding: NDArray[np.floating]
    xy: Array
    values: Mapping[str, NDArray[np.floating]]

    def __post_init__(self) -> None:
        assert len(self.ids) == len(self.content) == len(self.embedding) == len(self.xy)

    def __len__(self) -> int:
        return len(self.ids)


def read_all(files: Sequence[Incoming], preprocessing: Preprocessing) -> list[Picture | Refused]:
    """Read files in memory, in their order, in processes of their own; a bad file is `Refused`, never an exception."""

    def read(file: Incoming) -> Picture | Refused:
        try:
            data = file.read()
            return decoders.read(data, preprocessing) if data else Refused(file.name, "is empty (0 bytes)")
        except ImageError as error:
            return Refused(file.name, str(error))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(read, files))


def score(files: Sequence[Incoming], model: Model) -> list[Scored | Refused]:
    """Read and score files in memory, in their order; see `read_all` and `score_read`."""
    return score_read(files, read_all(files, model.space.preprocessing), model)


def score_read(
    files: Sequence[Incoming], readings: Sequence[Picture | Refused], model: Model
) -> list[Scored | Refused]:
    """Score files that were read; what was refused stays so.

    The head reads the embedding as a store would keep it (float16), so that an upload has the value it will have once
    it is in an image set.
    """
    pictures = [reading for reading in readings if isinstance(reading, Picture)]
    values = iter(_values(pictures, model))
    return [
        reading if isinstance(reading, Refused) else _scored(file.name, reading, *next(values))
        for file, reading in zip(files, readings, strict=True)
    ]


def reference_of(table: pd.DataFrame, embeddings: NDArray[np.floating], contents: NDArray[np.int64]) -> Reference:
    """The distinct pictures of `ImageSet.table()`, with `embeddings` (N, D) and content keys (N,) in its order.

    Copies count once. Embeddings are held in float16, as they are stored.
    """
    first = np.sort(np.unique(contents, return_index=True)[1])
    rows = table.iloc[first]
    return Reference(
        ids=rows["id"].to_numpy(np.int64),
        content=contents[first],
        embedding=embeddings[first].astype(np.float16),
        xy=rows[["x", "y"]].to_numpy(np.float32),
        values={measure: rows[measure].to_numpy(np.float64) for measure in BY},
    )


def rank(scored: Sequence[Scored], reference: Reference | None) -> pd.DataFrame:
    """One row an upload, in their order, with every measure and its percentile.

    id (its place among the uploads), path (its name), width, height; each of `BY` and `MEASURE_percentile`, among the
    reference's pictures where there are any, else among the uploads; nearest_similarity; twin_of, the id of the
    reference's picture that it is a copy or near copy of, −1 for none; x and y on the reference's map. Confusability,
    too, is within the reference, else within the uploads. Higher = more ambiguous; nan where there is no value.
    """
    base = pd.DataFrame(
        {
            "id": np.arange(len(scored), dtype=np.int64),
            "path": [upload.name for upload in scored],
            "width": [upload.width for upload in scored],
            "height": [upload.height for upload in scored],
            "uncertainty": np.array([upload.uncertainty for upload in scored], np.float32),
            "entropy": np.array([upload.entropy for upload in scored], np.float32),
            "inverse_norm": _inverse_norm(_embeddings(scored)),
        }
    )
    if reference is None or not len(reference):
        found = base.assign(**_within_batch(scored))
        return found.assign(**{f"{measure}_percentile": percentile(_column(found, measure)) for measure in BY})
    found = _as_known(base.assign(**_within(scored, reference)), scored, reference)
    ranks = {m: percentile_among(_column(found, m), reference.values[m]) for m in BY}
    return found.assign(**{f"{measure}_percentile": rank for measure, rank in ranks.items()})


def percentile_among(values: NDArray[np.floating], reference: NDArray[np.floating]) -> Array:
    """Percentile 0 to 100 of each value (M,) among the finite ones of `reference` (N,), on the scale of `percentile`.

    A value that is in the reference has the percentile it has there; one between two of them lies halfway; nan where
    the value or the whole reference is.
    """
    known = np.sort(reference[np.isfinite(reference)])
    if not len(known):
        return np.full(len(values), np.nan, np.float32)
    rank = (np.searchsorted(known, values, side="left") + np.searchsorted(known, values, side="right") - 1) / 2
    share = np.clip(rank / (len(known) - 1), 0, 1) if len(known) > 1 else np.full(len(values), 0.5)
    return np.where(np.isfinite(values), 100 * share, np.nan).astype(np.float32)


def nearest_in(queries: NDArray[np.floating], embeddings: NDArray[np.floating], *, k: int) -> TopK:
    """The k most similar rows of `embeddings` (N, D) to each of `queries` (Q, D), exact: rows and cosines (Q, k).

    Nearest first; −1 (and cosine −1) where there are fewer than k rows. Memory is bounded by blocks of rows.
    """
    unit = l2_normalize(queries)
    place = np.full((len(unit), k), -1, np.int64)
    similarity = np.full((len(unit), k), -1, np.float32)
    for start in range(0, len(embeddings), ROWS_AT_ONCE):
        cosines = unit @ l2_normalize(embeddings[start : start + ROWS_AT_ONCE]).T
        rows = np.broadcast_to(np.arange(start, start + cosines.shape[1]), cosines.shape)
        both_place = np.concatenate([place, rows], axis=1)
        both = np.concatenate([np.where(place >= 0, similarity, -np.inf), cosines], axis=1)
        best = _highest(both, k)
        place = np.take_along_axis(both_place, best, 1)
        similarity = np.where(place >= 0, np.take_along_axis(both, best, 1), -1).astype(np.float32)
    return place, similarity


def confusability_in(place: NDArray[np.integer], similarity: NDArray[np.floating], is_twin: NDArray[np.bool_]) -> Array:
    """Confusability (Q,) of pictures that are not in a set, from their neighbours in it; see `confusability`.

    `place` (−1: none), `similarity` and `is_twin` are (Q, K); twins are as good as the picture itself and do not count.
    nan where fewer than two neighbours are left to compare.
    """
    is_other = (place >= 0) & ~is_twin
    exact = similarity.astype(np.float64)
    highest = np.where(is_other, exact, -np.inf).max(axis=1, keepdims=True)
    nearness = (exact - np.where(np.isfinite(highest), highest, 0)) / TEMPERATURE
    weight = np.exp(np.where(is_other, nearness, -np.inf)).sum(axis=1)
    return np.where(is_other.sum(axis=1) >= 2, 1 - 1 / np.maximum(weight, 1), np.nan).astype(np.float32)


def _highest(scores: NDArray[np.floating], k: int) -> NDArray[np.int64]:
    """The columns of the k highest of each row, highest first; of equal ones the first column first."""
    some = np.sort(np.argpartition(-scores, k - 1, axis=1)[:, :k], axis=1)
    order = np.argsort(-np.take_along_axis(scores, some, 1), axis=1, kind="stable")
    return np.take_along_axis(some, order, 1)


def _values(pictures: Sequence[Picture], model: Model) -> list[tuple[NDArray[np.float16], float, float]]:
    """Embedding, uncertainty and entropy of each picture."""
    if not pictures:
        return []
    outputs = model.run(np.stack([picture.crop for picture in pictures]))
    embedding = model.as_stored(outputs.embedding)
    uncertainty = model.uncertainty(embedding)
    return list(zip(embedding, map(float, uncertainty), map(float, outputs.entropy), strict=True))


def _scored(name: str, picture: Picture, embedding: NDArray[np.float16], uncertainty: float, entropy: float) -> Scored:
    return Scored(
        name=name,
        content=picture.content,
        width=picture.width,
        height=picture.height,
        thumbnail=picture.thumbnail,
        embedding=embedding,
        uncertainty=uncertainty,
        entropy=entropy,
    )


def _within_batch(scored: Sequence[Scored]) -> dict[str, NDArray[np.generic]]:
    """What the uploads say of each other; copies among them count once."""
    content = np.array([upload.content for upload in scored], np.int64)
    keys, first, row = np.unique(content, return_index=True, return_inverse=True)
    distinct = Embeddings(keys, _embeddings(scored)[first], np.zeros(len(keys), np.float32))
    graph = build_graph(distinct)
    nearest = np.where(graph.position[:, 0] >= 0, graph.similarity[:, 0], np.nan)
    value = confusability(graph.position, graph.similarity, twin_groups(graph))
    nowhere = np.full(len(scored), np.nan, np.float32)
    return {
        "confusability": value[row],
        "nearest_similarity": nearest[row].astype(np.float32),
        "twin_of": np.full(len(scored), -1, np.int64),
        "x": nowhere,
        "y": nowhere,
    }


def _within(scored: Sequence[Scored], reference: Reference) -> dict[str, NDArray[np.generic]]:
    """What the reference says of the uploads: confusability, nearest picture, and their places on its map."""
    content = np.array([upload.content for upload in scored], np.int64)
    position, similarity = nearest_in(_embeddings(scored), reference.embedding, k=K)
    is_twin = (position >= 0) & ((similarity >= TWIN_COSINE) | (reference.content[position] == content[:, None]))
    xy = placed(content, position, similarity, reference)
    return {
        "confusability": confusability_in(position, similarity, is_twin),
        "nearest_similarity": similarity[:, 0],
        "twin_of": np.where(is_twin.any(axis=1), reference.ids[position[:, 0]], -1),
        "x": xy[:, 0],
        "y": xy[:, 1],
    }


def placed(content: NDArray[np.int64], position: NDArray[np.int64], similarity: Array, reference: Reference) -> Array:
    """Where pictures (Q,) lie on the reference's map, by their neighbours in it: (Q, 2), nan where it has no map.

    A picture that is in the reference lies where it lies there.
    """
    on_map: NDArray[np.bool_] = np.isfinite(reference.xy[:, 0])
    if not on_map.any():
        return np.full((len(content), 2), np.nan, np.float32)
    known = Coordinates(reference.content[on_map], reference.xy[on_map], np.full(int(on_map.sum()), PLACED, np.int8))
    number = np.cumsum(on_map) - 1
    usable = (position >= 0) & on_map[position]
    near = np.where(usable, number[position], -1).astype(np.int32)
    alone = np.full((len(known), near.shape[1]), -1, np.int32)
    graph = Graph(
        np.concatenate([known.content, content]),
        np.concatenate([alone, near]),
        np.concatenate([alone.astype(np.float32), np.where(usable, similarity, -1)]),
    )
    return place(graph, known).xy[len(known) :]


def _as_known(found: pd.DataFrame, scored: Sequence[Scored], reference: Reference) -> pd.DataFrame:
    """Uploads that are in the reference byte for byte have the very values that they have there."""
    row = positions_of(np.array([upload.content for upload in scored], np.int64), reference.content)
    return found.assign(
        **{
            measure: np.where(row >= 0, reference.values[measure][row], _column(found, measure)).astype(np.float32)
            for measure in BY
        }
    )


def _column(table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    return np.asarray(table[name].to_numpy(np.float64))


def _embeddings(scored: Sequence[Scored]) -> NDArray[np.float16]:
    return np.stack([upload.embedding for upload in scored]) if scored else np.zeros((0, 1), np.float16)


def _inverse_norm(embeddings: NDArray[np.floating]) -> Array:
    norms = np.linalg.norm(embeddings.astype(np.float32), axis=1)
    return np.asarray(1 / np.maximum(norms, 1e-12), np.float32)
