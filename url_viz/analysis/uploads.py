"""Pictures that come in from outside, scored in memory, ranked and placed beside an open image set."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.ambiguity import ClassShares
from url_viz.analysis.baselines import inverse_norm
from url_viz.analysis.new_pictures import Reference, compare_to_reference
from url_viz.analysis.ranking import percentile
from url_viz.errors import ImageError
from url_viz.imaging.decode import EMPTY
from url_viz.imaging.perceptual_hash import WORDS, Hashes, perceptual_hash
from url_viz.imaging.preprocess import Preprocessing
from url_viz.imaging.quality import grey_thumbnail
from url_viz.imaging.read import Picture
from url_viz.imaging.uploaded_files import Incoming, RefusedFile
from url_viz.imaging.workers import decoders
from url_viz.models.head import Head
from url_viz.models.model import Model
from url_viz.pipeline.graph import updated_graph
from url_viz.pipeline.nearest import Nearest
from url_viz.pipeline.postprocess import columns_of
from url_viz.pipeline.projection import place
from url_viz.pipeline.whitening import whitened_rows
from url_viz.read_ahead import read_each
from url_viz.store.tables import PLACED, Coordinates, Graph, no_twins, positions_of

Array = NDArray[np.float32]

MEASURED = ("ambiguity", "confusability", "uncertainty", "entropy", "inverse_norm")
"""The measures that a picture from outside has."""
OF_CLASSES = ("ambiguity", "first_class", "second_class", "first_share", "second_share")


@dataclass(frozen=True)
class ScoredUpload:
    """One upload that was read: its size, thumbnail (JPEG), embedding (D,) float16, and values of it by itself.

    `second` (E,) float16 is its embedding by a second model, if one was asked.
    """

    name: str
    content: int
    width: int
    height: int
    thumbnail: bytes
    embedding: NDArray[np.float16]
    uncertainty: float
    entropy: float
    second: NDArray[np.float16] | None = None


Running = Callable[[], AbstractContextManager[Model]]
"""Gives a model for as long as it is needed; others may wait for it meanwhile."""


def score(
    files: Sequence[Incoming], model: Running, *, second: Running | None = None
) -> list[ScoredUpload | RefusedFile]:
    """Read and score files in memory, in their order; a bad file is a `RefusedFile`, no exception.

    They are read in processes of their own; until then the models are free for others. The head reads the embedding as
    a store would keep it (float16), so that an upload has the value it will have once it is in an image set.
    """
    models = [model] if second is None else [model, second]
    sheets = []
    for each in models:
        with each() as running:
            sheets.append(running.space.preprocessing)
    readings = read_each(files, partial(_reading, sheets=sheets))
    pictures = [reading for reading in readings if isinstance(reading, Picture)]
    values: Iterator[tuple[Any, ...]] = iter(())
    if pictures:
        with model() as running:
            values = _values(running, np.stack([picture.crop for picture in pictures]))
        if second is not None:
            with second() as running:
                outputs = running.run(np.stack([picture.also[0] for picture in pictures]))
                values = zip(*zip(*values, strict=True), running.as_stored(outputs.embedding), strict=True)
    return [
        reading
        if isinstance(reading, RefusedFile)
        else ScoredUpload(file.name, reading.content, reading.width, reading.height, reading.thumbnail, *next(values))
        for file, reading in zip(files, readings, strict=True)
    ]


def _reading(file: Incoming, *, sheets: Sequence[Preprocessing]) -> Picture | RefusedFile:
    try:
        data = file.read()
        return decoders.read(data, sheets[0], also=sheets[1:]) if data else RefusedFile(file.name, EMPTY)
    except ImageError as error:
        return RefusedFile(file.name, str(error))


def _values(model: Model, crops: NDArray[np.uint8]) -> Iterator[tuple[NDArray[np.float16], float, float]]:
    """Embedding, uncertainty and entropy of each crop."""
    outputs = model.run(crops)
    embedding = model.as_stored(outputs.embedding)
    return zip(embedding, model.uncertainty(embedding).tolist(), outputs.entropy.tolist(), strict=True)


def rank(scored: Sequence[ScoredUpload], reference: Reference | None) -> pd.DataFrame:
    """One row per upload, in their order, with every measure and its percentile.

    id (its number among the uploads), path (its name), width, height; each of MEASURED and `MEASURE_percentile`, among
    the reference's pictures if there are any, else among the uploads; first_class, second_class and their shares;
    nearest_similarity; twin_of, the id of the reference's picture that it is a copy or near copy of, −1 for none; x and
    y on the reference's map. Confusability is within the reference, else within the uploads; ambiguity is between the
    reference's classes. Higher = more ambiguous; nan if there is no value.
    """
    base = pd.DataFrame(
        {
            "id": np.arange(len(scored), dtype=np.int64),
            "path": [upload.name for upload in scored],
            "width": [upload.width for upload in scored],
            "height": [upload.height for upload in scored],
            "uncertainty": np.array([upload.uncertainty for upload in scored], np.float32),
            "entropy": np.array([upload.entropy for upload in scored], np.float32),
            "inverse_norm": inverse_norm(_embeddings(scored)),
        }
    )
    if reference is None or not len(reference):
        found = base.assign(**_within_batch(scored))
        return _with_percentiles(found, found)
    found = _as_known(base.assign(**_within(scored, reference)), scored, reference)
    return _with_percentiles(found, reference.pictures)


def _with_percentiles(found: pd.DataFrame, among: pd.DataFrame) -> pd.DataFrame:
    """The table of uploads with the percentile of each of MEASURED among those of the table `among`."""
    ranks = {m: percentile(_column(found, m), among=_column(among, m)) for m in MEASURED}
    return found.assign(**{f"{measure}_percentile": rank for measure, rank in ranks.items()})


def _within_batch(scored: Sequence[ScoredUpload]) -> dict[str, NDArray[np.generic]]:
    """What the uploads say of each other; copies among them count once."""
    content = np.array([upload.content for upload in scored], np.int64)
    keys, first, row = np.unique(content, return_index=True, return_inverse=True)
    embeddings = _embeddings(scored)[first]
    hashes = hashes_of(scored)[first]
    whitened = whitened_rows(keys, embeddings, hashes=hashes)
    columns = columns_of(updated_graph(None, whitened, embeddings, hashes=hashes))
    nothing = np.full(len(scored), np.nan, np.float32)
    return {
        "confusability": columns.confusability[row],
        "nearest_similarity": columns.nearest_similarity[row],
        **_of_classes(len(scored), None, ()),
        "twin_of": np.full(len(scored), -1, np.int64),
        "x": nothing,
        "y": nothing,
    }


def _within(scored: Sequence[ScoredUpload], reference: Reference) -> dict[str, NDArray[np.generic]]:
    """What the reference says of the uploads: measures, nearest picture, classes, and their places on its map."""
    content = np.array([upload.content for upload in scored], np.int64)
    second, hashes = _second_embeddings(scored), hashes_of(scored)
    found = compare_to_reference(_embeddings(scored), content, reference, second=second, hashes=hashes)
    xy = placed(content, found.nearest, found.twin, reference)
    has_near = found.nearest.position[:, 0] >= 0
    return {
        "confusability": found.confusability,
        "nearest_similarity": np.where(has_near, found.nearest.similarity[:, 0], np.float32(np.nan)),
        **_of_classes(len(scored), found.shares, reference.class_names),
        "twin_of": np.where(found.twin >= 0, reference.ids[found.twin], -1),
        "x": xy[:, 0],
        "y": xy[:, 1],
    }


def values_of(
    embeddings: NDArray[np.float16],
    entropy: NDArray[np.floating],
    head: Head | None,
    reference: Reference,
    *,
    second: NDArray[np.float16] | None = None,
) -> dict[str, NDArray[np.floating]]:
    """The measures MEASURED of Q pictures from outside, from embeddings (Q, D) as stored and entropies (Q,).

    `second` (Q, E) are the embeddings by the second model, for a reference by both.
    """
    found = compare_to_reference(embeddings, np.full(len(embeddings), -1), reference, second=second)
    nothing = np.full(len(embeddings), np.nan, np.float32)
    return {
        "ambiguity": nothing if found.shares is None else found.shares.ambiguity,
        "confusability": found.confusability,
        "uncertainty": nothing if head is None else head(embeddings),
        "entropy": entropy,
        "inverse_norm": inverse_norm(embeddings),
    }


def _of_classes(count: int, shares: ClassShares | None, names: Sequence[str]) -> dict[str, NDArray[np.generic]]:
    """Class shares (Q,) as the columns OF_CLASSES of so many pictures, classes by name; missing without shares."""
    if shares is None:
        nothing, nobody = np.full(count, np.nan, np.float32), np.full(count, None, object)
        return dict(zip(OF_CLASSES, (nothing, nobody, nobody, nothing, nothing), strict=True))
    named = np.array([*names, None], object)
    both = named[shares.first_class], named[shares.second_class]
    return dict(zip(OF_CLASSES, (shares.ambiguity, *both, shares.first_share, shares.second_share), strict=True))


def placed(content: NDArray[np.int64], nearest: Nearest, twin: NDArray[np.int64], reference: Reference) -> Array:
    """Where pictures (Q,) lie on the reference's map, by their neighbours in it: (Q, 2), nan if it has no map.

    A picture that is in the reference lies where it lies there, and one with a `twin` (Q,) beside it.
    """
    on_map: NDArray[np.bool_] = np.isfinite(reference.xy[:, 0])
    if not on_map.any():
        return np.full((len(content), 2), np.nan, np.float32)
    known = Coordinates(reference.content[on_map], reference.xy[on_map], np.full(int(on_map.sum()), PLACED, np.int8))
    number = np.cumsum(on_map) - 1
    lists = np.concatenate([twin[:, None], nearest.position], axis=1)
    similarity = np.concatenate([np.where(twin >= 0, 1, -1)[:, None], nearest.similarity], axis=1)
    usable = (lists >= 0) & on_map[lists]
    near = np.where(usable, number[lists], -1).astype(np.int32)
    no_neighbours = np.full((len(known), near.shape[1]), -1, np.int32)
    graph = Graph(
        np.concatenate([known.content, content]),
        np.concatenate([no_neighbours, near]),
        np.concatenate([no_neighbours, np.where(usable, similarity, -1)]).astype(np.float32),
        no_twins(len(known) + len(content)),
    )
    return place(graph, known).xy[len(known) :]


def _as_known(found: pd.DataFrame, scored: Sequence[ScoredUpload], reference: Reference) -> pd.DataFrame:
    """Uploads that are in the reference byte for byte have the very values that they have there."""
    row = positions_of(np.array([upload.content for upload in scored], np.int64), reference.content)
    return found.assign(
        **{
            name: np.where(row >= 0, reference.table[name].to_numpy()[row], found[name].to_numpy())
            for name in dict.fromkeys((*MEASURED, *OF_CLASSES))
        }
    )


def _column(table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    return np.asarray(table[name].to_numpy(np.float64))


def _embeddings(scored: Sequence[ScoredUpload]) -> NDArray[np.float16]:
    return np.stack([upload.embedding for upload in scored]) if scored else np.zeros((0, 1), np.float16)


def hashes_of(scored: Sequence[ScoredUpload]) -> Hashes:
    """The perceptual hashes (Q, WORDS) of uploads, by their thumbnails, as those of a set are made."""
    greys = [grey_thumbnail(upload.thumbnail, width=upload.width, height=upload.height) for upload in scored]
    return np.stack([perceptual_hash(grey) for grey in greys]) if greys else np.zeros((0, WORDS), np.uint64)


def _second_embeddings(scored: Sequence[ScoredUpload]) -> NDArray[np.float16] | None:
    """By the second model; None if it has not read all of them."""
    rows = [upload.second for upload in scored if upload.second is not None]
    return np.stack(rows) if rows and len(rows) == len(scored) else None
