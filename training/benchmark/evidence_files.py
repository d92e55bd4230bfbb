"""What figures rest on, as files: a Parquet table of pictures and a .npz of arrays, each for a set."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.benchmark.labelled import Case
from training.benchmark.orders import Orders
from url_viz.files import replaced
from url_viz.imaging.scan import display_name


def write_pictures(case: Case, orders: Orders, path: Path) -> None:
    """One row a picture: path, class, outcomes (null where there is none), votes' entropy, and each order's value."""
    labelled, outcomes = case.labelled, case.outcomes
    assert labelled.pictures is not None
    pictures = labelled.pictures
    wrong = {f"{name}_wrong": values for name, values in outcomes.by_name().items()}
    table = pd.DataFrame(
        {
            "path": [display_name(name) for name in pictures.paths],
            "label": [pictures.classes[code] for code in labelled.label],
            **{name: pd.array(values, dtype="boolean") for name, values in wrong.items()},
            **({} if labelled.people is None else {"human_entropy": labelled.people.entropy}),
            **orders,
        }
    )
    table.loc[~outcomes.is_counted, "nearest_wrong"] = pd.NA
    with replaced(path) as temporary:
        table.to_parquet(temporary, index=False)


def write_arrays(case: Case, orders: Orders, path: Path) -> None:
    """What the figures of one set rest on, for other programs; P and votes where they are. Orders are `order_NAME`."""
    labelled, space, outcomes = case.labelled, case.space, case.outcomes
    arrays: dict[str, NDArray[np.generic]] = {
        "embedding": labelled.embedding,
        "logits": labelled.logits,
        "label": labelled.label,
        "whitened": space.whitened.rows,
        "group": space.group,
        "is_counted": outcomes.is_counted,
        "is_wrong": outcomes.is_wrong,
        "is_paper_wrong": outcomes.is_paper_wrong,
        **{f"order_{name}": values for name, values in orders.items()},
    }
    if outcomes.is_probe_wrong is not None:
        arrays["is_probe_wrong"] = outcomes.is_probe_wrong
    if labelled.people is not None:
        arrays["votes_entropy"] = labelled.people.entropy
    with replaced(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
