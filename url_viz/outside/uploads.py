"""Pictures from outside (uploads, queries): scored, judged beside an image set, or found unlike it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.errors import ImageError
from url_viz.base.processes import read_each
from url_viz.base.rows import l2_normalize
from url_viz.columns.ranking import percentile
from url_viz.evidence.baselines import inverse_norm
from url_viz.imaging.copied_pixels import Patches, no_patches, patch_of
from url_viz.imaging.decode import EMPTY, Preprocessing
from url_viz.imaging.quality import WORDS, Hashes, grey_thumbnail, perceptual_hash
from url_viz.imaging.uploaded_files import Incoming, RefusedFile
from url_viz.imaging.workers import Picture, decoders
from url_viz.labels.ambiguity import ClassShares
from url_viz.models.head import Head, rounded
from url_viz.models.model import Model
from url_viz.outside.new_pictures import NO_FILE, NewPictures, Reference, compare_to_reference
from url_viz.pipeline.graph import updated_graph
from url_viz.pipeline.near_copies import Pixels
from url_viz.pipeline.nearest import Nearest
from url_viz.pipeline.postprocess import columns_of
from url_viz.pipeline.projection import place
from url_viz.pipeline.whitening import whitened_rows
from url_viz.store.tables.tables import PLACED, Coordinates, Graph, no_twins, positions_of

NEAR = 5
"""Nearest pictures whose mean cosine counts, by raw embeddings: whitened, strange pictures are no farther than lone
ones of the set. `experiments.unlike` has figures of ten sets."""
LOWEST = 1
"""The percentile of it among the set's own pictures below which a picture is unlike them."""
FEWEST_TO_COMPARE = 50
"""A smaller set has no percentile to compare with."""
MOST_COMPARED, MOST_RANKED = 10_000, 1_000
"""Pictures of a set that suffice to be compared with, and for the percentile."""

UNLIKE = "Unlike this set"

Floats = NDArray[np.floating]


def unlike_in_words(count: int = 1) -> str:
    """What it means that pictures from outside are unlike the set, wherever they come from."""
    which, them = ("this picture", "it") if count == 1 else ("these pictures", "them")
    return f"Nothing in the set is like {which}, so no order of the set says anything about {them}."


def unlike(embedding: Floats, own: Floats, *, counts: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of Q embeddings (Q, D) are farther from a set's `own` (M, D) than nearly all of these from each other.

    `counts` (M,) leaves out copies and views of others, which are near each other anyway.
    """
    rows = np.flatnonzero(counts)
    if len(rows) < FEWEST_TO_COMPARE or not len(embedding):
        return np.zeros(len(embedding), bool)
    if len(rows) > MOST_COMPARED:
        rows = np.sort(np.random.default_rng(0).choice(rows, MOST_COMPARED, replace=False))
    own = l2_normalize(np.asarray(own[rows], np.float32))
    asked = np.linspace(0, len(own) - 1, min(MOST_RANKED, len(own))).round().astype(int)
    among = own[asked] @ own.T
    among[np.arange(len(asked)), asked] = -1
    least = np.percentile(_nearness(among), LOWEST)
    return np.asarray(_nearness(l2_normalize(embedding.astype(np.float32)) @ own.T) < least)


def _nearness(cosine: Floats) -> Floats:
    """The mean of the NEAR highest of each row (Q, M)."""
    nearest: Floats = np.partition(cosine, -NEAR, axis=1)[:, -NEAR:].mean(axis=1)
    return nearest


Array = NDArray[np.float32]

MEASURED = ("ambiguity", "confusability", "uncertainty", "entropy", "inverse_norm")
"""The measures that a picture from outside has."""
COPY, VIEW = "copy", "view"
CLASS_COLUMNS = ("ambiguity", "first_class", "second_class", "first_share", "second_share")


@dataclass(frozen=True)
class NewPicture:
    """A picture from outside that was read: its size, thumbnail (JPEG), embedding (D,) float16, and values by itself.

    `content` is the key of its file. `others` (E,) float16 are its embeddings by the other opinions that were asked.
    """

    name: str
    content: int
    width: int
    height: int
    thumbnail: bytes
    embedding: NDArray[np.float16]
    uncertainty: float
    entropy: float
    others: tuple[NDArray[np.float16], ...] = ()

    @classmethod
    def of_embedding(cls, embedding: NDArray[np.floating], head: Head | None) -> "NewPicture":
        """A picture of which only the embedding (D,) is known."""
        stored = embedding.astype(np.float16)
        uncertainty = float("nan") if head is None else float(head(stored[None])[0])
        return cls("", NO_FILE, 0, 0, b"", stored, uncertainty, float("nan"))


Running = Callable[[], AbstractContextManager[Model]]
"""Gives a model for as long as it is needed; others may wait for it meanwhile."""


def score(
    files: Sequence[Incoming], model: Running, *, second: Running | None = None, looks_twice: bool = False
) -> list[NewPicture | RefusedFile]:
    """Read and score files in memory, in their order; a bad file is a `RefusedFile`, no exception.

    They are read in processes of their own; until then the models are free for others. Beside a `second` model the
    first one may look twice (`SecondModelChoice`). The head reads the embedding as a store would keep it (float16), so
    that an upload has the value it will have once it is in an image set.
    """
    others: list[Running] = [] if second is None else [second]
    if others and looks_twice:
        others.append(partial(_squeezed, model))
    sheets = []
    for each in (model, *others):
        with each() as running:
            sheets.append(running.space.preprocessing)
    readings = read_each(files, partial(_reading, sheets=sheets))
    pictures = [reading for reading in readings if isinstance(reading, Picture)]
    values: Iterator[tuple[Any, ...]] = iter(())
    if pictures:
        with model() as running:
            by_first = _values(running, np.stack([picture.crop for picture in pictures]))
        by_others = []
        for number, other in enumerate(others):
            with other() as running:
                outputs = running.run(np.stack([picture.also[number] for picture in pictures]))
                by_others.append(running.as_stored(outputs.embedding))
        values = ((*own, tuple(rest)) for own, *rest in zip(by_first, *by_others, strict=True))
    return [
        reading
        if isinstance(reading, RefusedFile)
        else NewPicture(file.name, reading.content, reading.width, reading.height, reading.thumbnail, *next(values))
        for file, reading in zip(files, readings, strict=True)
    ]


@contextmanager
def _squeezed(model: Running) -> Iterator[Model]:
    with model() as running:
        yield running.squeezed


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


def judge_pictures(pictures: Sequence[NewPicture], reference: Reference | None) -> pd.DataFrame:
    """One row per picture from outside, in their order, with every measure and its percentile.

    id (its number), path (its name), width, height; each of MEASURED and `MEASURE_percentile`, among the reference's
    pictures if there are any, else among the new ones; first_class, second_class and their shares; nearest_similarity;
    twin_of, the id of the reference's picture that it is a copy or another view of, −1 for none, and twin_kind, "copy",
    "view" or None; x and y on the
    reference's map. Confusability is within the reference, else within the new ones; ambiguity is between the
    reference's classes. Higher = more ambiguous; nan if there is no value. Files with the same bytes have one row's
    values, and those in the reference the very values that they have there. `is_unlike` where nothing in the reference
    is like the picture: no order of the set says anything of it, so it has no measures and no classes.
    """
    itself = pd.DataFrame(
        {
            "id": np.arange(len(pictures), dtype=np.int64),
            "path": [picture.name for picture in pictures],
            "width": [picture.width for picture in pictures],
            "height": [picture.height for picture in pictures],
        }
    )
    pictures = _first_of_content(pictures)
    new = arrays_of(pictures)
    itself = itself.assign(
        uncertainty=np.array([picture.uncertainty for picture in pictures], np.float32),
        entropy=np.array([picture.entropy for picture in pictures], np.float32),
        inverse_norm=rounded(inverse_norm(new.embedding)),
    )
    if reference is None or not len(reference):
        judged = itself.assign(**_within_batch(new))
        return _with_percentiles(judged, judged).assign(is_unlike=False)
    judged = _as_known(itself.assign(**_within(new, reference)), new.content, reference)
    is_strange = unlike(new.embedding, reference.embedding, counts=reference.counts)
    is_strange &= positions_of(new.content, reference.content) < 0
    for name in dict.fromkeys((*MEASURED, *CLASS_COLUMNS)):
        missing = np.array(None) if name.endswith("_class") else np.array(np.nan, np.float32)
        judged[name] = np.where(is_strange, missing, judged[name].to_numpy())
    if not reference.are_classes_known:
        judged[["first_share", "second_share"]] = np.nan
    return _with_percentiles(judged, reference.pictures).assign(is_unlike=is_strange)


def arrays_of(pictures: Sequence[NewPicture]) -> NewPictures:
    """Pictures as arrays, to be compared with a reference."""
    embeddings = np.stack([picture.embedding for picture in pictures]) if pictures else np.zeros((0, 1), np.float16)
    hashes = np.stack([_hash_of(picture) for picture in pictures]) if pictures else np.zeros((0, WORDS), np.uint64)
    patches = [
        no_patches(),
        *(patch_of(picture.thumbnail or b"", picture.width, picture.height) for picture in pictures),
    ]
    content = np.array([picture.content for picture in pictures], np.int64)
    pixels = Pixels.from_patches(hashes, Patches.joined(patches))
    others = zip(*(picture.others for picture in pictures), strict=False)  # what all of them have
    return NewPictures(embeddings, content, pixels, tuple(map(np.stack, others)))


def _hash_of(picture: NewPicture) -> Hashes:
    """The perceptual hash (WORDS,) of a picture by its thumbnail, as those of a set are made; zeros without one."""
    if not picture.thumbnail:
        return np.zeros(WORDS, np.uint64)
    return perceptual_hash(grey_thumbnail(picture.thumbnail, width=picture.width, height=picture.height))


def _first_of_content(pictures: Sequence[NewPicture]) -> list[NewPicture]:
    """For each picture the first with its bytes: a model gives a file that is read twice two last digits."""
    first: dict[object, NewPicture] = {}
    return [
        first.setdefault(picture.content if picture.content != NO_FILE else id(picture), picture)
        for picture in pictures
    ]


def _with_percentiles(judged: pd.DataFrame, among: pd.DataFrame) -> pd.DataFrame:
    """Uploads with their percentile by each of MEASURED in the table `among`."""
    ranks = {m: percentile(_column(judged, m), among=_column(among, m)) for m in MEASURED}
    return judged.assign(**{f"{measure}_percentile": rank for measure, rank in ranks.items()})


def _within_batch(new: NewPictures) -> dict[str, NDArray[np.generic]]:
    """The columns of new pictures by each other; copies count once."""
    keys, first, row = np.unique(new.content, return_index=True, return_inverse=True)
    embeddings = new.embedding[first]
    columns = columns_of(
        updated_graph(None, whitened_rows(keys, embeddings), embeddings, pixels=new.pixels.take(first))
    )
    nothing = np.full(len(new), np.nan, np.float32)
    return {
        "confusability": columns.confusability[row],
        "nearest_similarity": columns.nearest_similarity[row],
        **_class_columns(len(new), None, ()),
        "twin_of": np.full(len(new), -1, np.int64),
        "twin_kind": np.full(len(new), None, object),
        "x": nothing,
        "y": nothing,
    }


def _within(new: NewPictures, reference: Reference) -> dict[str, NDArray[np.generic]]:
    """The columns of new pictures by the reference, and their places on its map."""
    compared = compare_to_reference(new, reference)
    xy = placed_on_map(new.content, compared.nearest, compared.twin, reference)
    has_near = compared.nearest.position[:, 0] >= 0
    return {
        "confusability": compared.confusability,
        "nearest_similarity": np.where(has_near, compared.nearest.similarity[:, 0], np.float32(np.nan)),
        **_class_columns(len(new), compared.shares, reference.class_names),
        "twin_of": np.where(compared.twin >= 0, reference.ids[compared.twin], -1),
        "twin_kind": np.array([None, VIEW, COPY], object)[(compared.twin >= 0) * (1 + compared.is_copy.astype(int))],
        "x": xy[:, 0],
        "y": xy[:, 1],
    }


def _class_columns(count: int, shares: ClassShares | None, names: Sequence[str]) -> dict[str, NDArray[np.generic]]:
    """CLASS_COLUMNS of `count` pictures, classes by name; missing without shares."""
    if shares is None:
        nothing, nobody = np.full(count, np.nan, np.float32), np.full(count, None, object)
        return dict(zip(CLASS_COLUMNS, (nothing, nobody, nobody, nothing, nothing), strict=True))
    named = np.array([*names, None], object)
    both = named[shares.first_class], named[shares.second_class]
    return dict(zip(CLASS_COLUMNS, (shares.ambiguity, *both, shares.first_share, shares.second_share), strict=True))


def placed_on_map(content: NDArray[np.int64], nearest: Nearest, twin: NDArray[np.int64], reference: Reference) -> Array:
    """Where pictures (Q,) lie on the reference's map, by their neighbours in it: (Q, 2), nan if it has no map.

    A picture that is in the reference lies where it lies there, and one with a `twin` (Q,) beside it.
    """
    on_map: NDArray[np.bool_] = np.isfinite(reference.xy[:, 0])
    if not on_map.any():
        return np.full((len(content), 2), np.nan, np.float32)
    on_the_map = Coordinates(
        reference.content[on_map], reference.xy[on_map], np.full(int(on_map.sum()), PLACED, np.int8)
    )
    number = np.cumsum(on_map) - 1
    lists = np.concatenate([twin[:, None], nearest.position], axis=1)
    similarity = np.concatenate([np.where(twin >= 0, 1, -1)[:, None], nearest.similarity], axis=1)
    usable = (lists >= 0) & on_map[lists]
    near = np.where(usable, number[lists], -1).astype(np.int32)
    no_neighbours = np.full((len(on_the_map), near.shape[1]), -1, np.int32)
    graph = Graph(
        np.concatenate([on_the_map.content, content]),
        np.concatenate([no_neighbours, near]),
        np.concatenate([no_neighbours, np.where(usable, similarity, -1)]).astype(np.float32),
        no_twins(len(on_the_map) + len(content)),
    )
    return place(graph, on_the_map).xy[len(on_the_map) :]


def _as_known(judged: pd.DataFrame, content: NDArray[np.int64], reference: Reference) -> pd.DataFrame:
    """Pictures that are in the reference byte for byte have the very values that they have there."""
    row = positions_of(content, reference.content)
    return judged.assign(
        **{
            name: np.where(row >= 0, reference.table[name].to_numpy()[row], judged[name].to_numpy())
            for name in dict.fromkeys((*MEASURED, *CLASS_COLUMNS))
        }
    )


def _column(table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    return np.asarray(table[name].to_numpy(np.float64))
