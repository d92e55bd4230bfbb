"""Labelled sets of embeddings about class centres, and what the definitions say of them one by one."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from training.benchmark.labelled import Case, LabelledSet, make_case
from training.benchmark.orders import Orders, make_orders
from training.data.pictures import PictureList


def small_set(seed: int = 0, *, classes: int = 4, pictures: int = 72, width: int = 12) -> LabelledSet:
    """Embeddings about class centres, so near each other that many go wrong; the first three are nearly one."""
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.arange(pictures) % classes).astype(np.int32)
    centre = rng.normal(size=(classes, width))
    embedding = centre[label] + 1.3 * rng.normal(size=(pictures, width)) + 1
    embedding[1:3] = embedding[0] + 0.05 * rng.normal(size=(2, width))
    other = centre[label] + rng.normal(size=(pictures, width))
    logits = rng.normal(size=(pictures, 7)).astype(np.float32)
    files = PictureList(
        Path(f"/nowhere/{seed}"),
        tuple(f"{code}/{row:03}.png".encode() for row, code in enumerate(label)),
        np.arange(pictures),
        label,
        tuple(map(str, range(classes))),
    )
    return LabelledSet(
        f"made {seed}", embedding.astype(np.float16), logits, label, other.astype(np.float16), pictures=files
    )


@cache
def small_case(seed: int = 0, **sizes: int) -> Case:
    """A small set with its space and its outcomes."""
    return make_case(small_set(seed, **sizes))


@cache
def bare_orders(seed: int) -> Orders:
    """The orders of a small set without a head and fitted baselines."""
    return make_orders(small_case(seed), None, None, seed=0)


def with_people(case: Case, entropy: np.ndarray, **beside: np.ndarray) -> Case:
    """The case with votes."""
    return replace(case, labelled=replace(case.labelled, people=pd.DataFrame({"human_entropy": entropy, **beside})))


def naive_nearest(embedding: np.ndarray) -> list[int]:
    """The nearest in the whitened space, in float64 and one by one; of so few numbers none are views."""
    unit = embedding.astype(float) / np.linalg.norm(embedding.astype(float), axis=1, keepdims=True)
    centred = unit - unit.mean(axis=0)
    variance, axes = np.linalg.eigh(np.cov(centred.T))
    is_spread = variance > 1e-9
    rows = centred @ axes[:, is_spread] / variance[is_spread] ** 0.25
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    nearest = []
    for i in range(len(rows)):
        others = [j for j in range(len(rows)) if j != i]
        nearest.append(max(others, key=lambda j: float(rows[i] @ rows[j])))
    return nearest


def naive_auroc(values: np.ndarray, is_wrong: np.ndarray) -> float:
    """The share of pairs in order, one by one; nan values are left out."""
    wins = [
        1.0 if high > low else 0.5 if high == low else 0.0
        for high in values[is_wrong & ~np.isnan(values)]
        for low in values[~is_wrong & ~np.isnan(values)]
    ]
    return float(np.mean(wins))


def naive_aurc(values: np.ndarray, is_wrong: np.ndarray) -> float:
    """The mean over coverages of the share that is wrong among those kept, one by one; without ties."""
    kept = [row for row in np.argsort(values) if not np.isnan(values[row])]
    return float(np.mean([is_wrong[kept[: k + 1]].mean() for k in range(len(kept))]))
