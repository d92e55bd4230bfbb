"""Labelled sets drawn by whole classes and embedded, and people's votes on pictures."""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.data.pictures import PictureList
from training.holdout import Space, find_space
from training.named_sets.soft_labels import entropy_nats
from training.overlap import embed_pictures
from url_viz.base.errors import FolderError
from url_viz.base.progress import ProgressCallback
from url_viz.evidence.baselines import softmax_entropy
from url_viz.evidence.order_metrics import auroc, recall_at_1
from url_viz.evidence.probe import out_of_fold_shares
from url_viz.imaging.scan import display_name
from url_viz.labels.ambiguity import LEAST_OF_A_CLASS
from url_viz.models.model import Model
from url_viz.pipeline.whitening import whitened_rows

ENTROPY = "human_entropy"
OTHER_ORDERS = ("authors_uncertainty", "authors_class_entropy")
"""Other models' orders that a .json of votes may hold: the paper's uncertainty, and a 1,000-class model's entropy."""


def read_votes(lists: Sequence[PictureList], votes: Sequence[Path], order: Path | None) -> list[pd.DataFrame | None]:
    """The people of each list as a `LabelledSet` has them; None for a list that has none of the pictures.

    A .npy (M, C) holds counts, whose rows belong to the lines of `order`, paths from a set's root. A .json maps file
    names without extension to records of `human_entropy` in nats, null for none, and OTHER_ORDERS. Raises FolderError
    if files are missing or do not fit, or no picture of any list has votes.
    """
    people: list[pd.DataFrame | None] = [None] * len(lists)
    for path in votes:
        by_name = _read_counts(path, order) if path.suffix == ".npy" else _read_records(path)
        has_any = False
        for place, pictures in enumerate(lists):
            names = [display_name(name) for name in pictures.paths]
            rows = [by_name.get(name) or by_name.get(PurePosixPath(name).stem, {}) for name in names]
            voted = pd.DataFrame(rows, columns=[ENTROPY, *OTHER_ORDERS], dtype=np.float64)
            if voted[ENTROPY].notna().any():
                people[place], has_any = voted.dropna(axis="columns", how="all"), True
        if not has_any:
            raise FolderError(f"No picture of the sets is in {str(path)!r}, which begins with {list(by_name)[:1]}.")
    return people


def _read_counts(path: Path, order: Path | None) -> dict[str, dict[str, float]]:
    if order is None:
        raise FolderError(f"The votes in {str(path)!r} need --votes-order FILE: CLASS/NAME of each row, a line each.")
    try:
        counts, names = np.load(path, allow_pickle=False), order.read_text().splitlines()
    except (OSError, ValueError) as error:
        raise FolderError(
            f"The votes cannot be read: {error}. Give --votes a .npy and --votes-order a text."
        ) from error
    if counts.ndim != 2 or len(counts) != len(names):
        raise FolderError(
            f"{str(path)!r} has the shape {counts.shape}, and {str(order)!r} {len(names)} lines. Give one row a line."
        )
    entropy = entropy_nats(counts.astype(np.int64))
    return {name: {ENTROPY: value} for name, value in zip(names, entropy.tolist(), strict=True)}


def _read_records(path: Path) -> dict[str, dict[str, float]]:
    try:
        records = json.loads(path.read_text("utf-8"))
        return {
            name: {key: math.nan if record[key] is None else float(record[key]) for key in (ENTROPY, *OTHER_ORDERS)}
            for name, record in records.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FolderError(
            f"The votes in {str(path)!r} cannot be read: {error!r}. Give --votes a .npy of counts with --votes-order, "
            f"or a .json: by file name, {ENTROPY}, {', '.join(OTHER_ORDERS)}."
        ) from error


TEMPERATURES = (0.1, 0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 16.0, 32.0)
"""Temperatures of the entropy that are tried."""
FOLDINGS = tuple((0, number) for number in range(1, 6))
"""Seeds of the foldings of P: pairs, since the folds of baselines are dealt by single numbers."""

Bools = NDArray[np.bool_]
Codes = NDArray[np.int32]
Values = NDArray[np.floating]


@dataclass(frozen=True)
class LabelledSet:
    """N embedded pictures with classes: `embedding` (N, D), `logits` (N, C), `label` (N,) codes; `data` is the SPEC.

    `probe_embedding` (N, E) is another backbone's, None if P is left out. `people` (N rows) holds the entropy of votes
    in nats and other models' orders, nan where there is none. `pictures` are the files, if known.
    """

    data: str
    embedding: Values
    logits: Values
    label: Codes
    probe_embedding: Values | None = None
    people: pd.DataFrame | None = None
    unreadable: int = 0
    pictures: PictureList | None = None


@dataclass(frozen=True)
class Outcomes:
    """The errors that orders predict, each (N,): `is_wrong` is N, for the pictures that have a nearest (`is_counted`).

    `is_probe_wrong` is P, from `probe_errors`, None if left out; `is_paper_wrong` is by raw cosine, twins among the
    neighbours.
    """

    is_counted: Bools
    is_wrong: Bools
    is_probe_wrong: Bools | None
    is_paper_wrong: Bools

    def by_name(self) -> dict[str, Bools]:
        """The outcomes that there are, by the names in `OUTCOMES`."""
        probe = {} if self.is_probe_wrong is None else {"probe": self.is_probe_wrong}
        return {"nearest": self.is_wrong, **probe, "paper": self.is_paper_wrong}


@dataclass(frozen=True)
class Case:
    """A set with its space and its outcomes: all that orders are made from and measured by."""

    labelled: LabelledSet
    space: Space
    outcomes: Outcomes

    @cached_property
    def auroc_by_temperature(self) -> list[float]:
        """R-AUROC for N of the classifier's entropy at each of TEMPERATURES."""
        counted, logits = self.outcomes.is_counted, self.labelled.logits
        entropies = (softmax_entropy(logits[counted], temperature=temperature) for temperature in TEMPERATURES)
        return [auroc(entropy, self.outcomes.is_wrong[counted]) for entropy in entropies]


def draw_classes(pictures: PictureList, *, limit: int | None, seed: int) -> PictureList:
    """The pictures of whole classes, drawn by the seed until the next would exceed `limit`; all without one.

    Thinned classes would give other figures, since fewer pictures of its class can be nearest to a picture. Raises
    FolderError unless two classes have three pictures each: without these there is nothing to measure against.
    """
    if limit is not None and limit < len(pictures):
        size = np.bincount(pictures.labels)
        order = np.random.default_rng(seed).permutation(len(size))
        chosen = order[np.cumsum(size[order]) <= limit]
        if np.count_nonzero(size[chosen]) < 2:
            raise FolderError(
                f"--limit {limit} holds no two whole classes of {str(pictures.root)!r}, whose largest have "
                f"{np.sort(size)[-2:].sum()} pictures. Give --limit that many, or none."
            )
        pictures = pictures.subset(np.flatnonzero(np.isin(pictures.labels, chosen)))
    _refuse_few(pictures.labels, str(pictures.root))
    return pictures


def _refuse_few(label: Codes, name: str) -> None:
    large = int((np.bincount(label, minlength=1) >= LEAST_OF_A_CLASS).sum())
    if large < 2:
        raise FolderError(
            f"Orders are measured on two classes or more of {LEAST_OF_A_CLASS} or more readable pictures each, and "
            f"{name!r} has {large} of these. Give a folder with more class folders (CLASS/picture.jpg)."
        )


def embed_set(
    spec: str,
    pictures: PictureList,
    model: Model,
    other: Model | None,
    people: pd.DataFrame | None,
    *,
    report: ProgressCallback,
) -> LabelledSet:
    """Embed a list with the model and, for P, with the other one; pictures that one cannot read are left out."""
    embedded = embed_pictures(model, pictures, seed=0, report=report, with_crops=False)
    positions, by_other = embedded.positions, None
    if other is not None:
        by_other = embed_pictures(other, pictures, seed=0, report=report, with_crops=False)
        positions = np.intersect1d(positions, by_other.positions)
    _refuse_few(pictures.labels[positions], str(pictures.root))
    rows = np.searchsorted(embedded.positions, positions)
    return LabelledSet(
        spec,
        embedded.embedding[rows],
        embedded.logits[rows],
        pictures.labels[positions],
        None if by_other is None else by_other.embedding[np.searchsorted(by_other.positions, positions)],
        None if people is None else people.take(positions),
        unreadable=len(pictures) - len(positions),
        pictures=pictures.subset(positions),
    )


def share_files(first: LabelledSet, second: LabelledSet) -> bool:
    """Whether any file is in both sets."""
    files, others = (
        set() if one is None else {one.root.resolve() / os.fsdecode(path) for path in one.paths}
        for one in (first.pictures, second.pictures)
    )
    return not files.isdisjoint(others)


def make_case(labelled: LabelledSet) -> Case:
    """A set with its space and its outcomes."""
    space = find_space(labelled.embedding)
    nearest, label = space.graph.position[:, 0], labelled.label
    probe = None
    if labelled.probe_embedding is not None:
        rows = whitened_rows(np.arange(len(label)), labelled.probe_embedding).rows
        probe = probe_errors(rows, label, space.group)
    is_paper_wrong = ~recall_at_1(labelled.embedding, label)[1]
    return Case(labelled, space, Outcomes(nearest >= 0, label[nearest] != label, probe, is_paper_wrong))


def probe_errors(whitened: Values, label: Codes, group: NDArray[np.integer]) -> Bools:
    """Which pictures (N,) a linear probe calls wrong in most of the FOLDINGS; rows (N, A) are another backbone's.

    A picture that shares its fold with its whole class is called wrong whatever it shows, by a baseline in the same
    folds too. So there are several foldings, and no baseline has these.
    """
    wrong = [out_of_fold_shares(whitened, label, group, seed=seed).argmax(axis=1) != label for seed in FOLDINGS]
    return np.asarray(np.mean(wrong, axis=0) > 0.5)
