"""Votes belong to pictures by their path or name, and what others' models say stands beside them."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.benchmark.labelled import read_votes
from training.data.spec import list_labelled
from url_viz.base.errors import FolderError


def test_counts_belong_to_pictures_by_their_path(folder: Path, tmp_path: Path) -> None:
    pictures = list_labelled(str(folder))
    counts, order = tmp_path / "counts.npy", tmp_path / "order.txt"
    np.save(counts, np.array([[5, 0], [1, 1], [2, 6]], np.int16))
    order.write_text("round/02.png\nsquare/01.png\nround/none.png\n")
    other = replace(pictures, paths=tuple(b"x/" + path for path in pictures.paths))
    first, second = read_votes([pictures, other], [counts], order)
    assert second is None
    assert first is not None
    assert first["human_entropy"].to_numpy()[pictures.paths.index(b"round/02.png")] == 0
    assert first["human_entropy"].to_numpy()[pictures.paths.index(b"square/01.png")] == pytest.approx(math.log(2))
    assert np.isnan(first["human_entropy"].to_numpy()).sum() == 22
    assert list(first) == ["human_entropy"]

    with pytest.raises(FolderError, match="--votes-order"):
        read_votes([pictures], [counts], None)
    with pytest.raises(FolderError, match=r"No picture of the sets .*round/02\.png"):
        read_votes([other], [counts], order)
    with pytest.raises(FolderError, match="cannot be read"):
        read_votes([pictures], [tmp_path / "gone.npy"], order)
    order.write_text("round/02.png\n")
    with pytest.raises(FolderError, match=r"shape \(3, 2\), and .* 1 lines"):
        read_votes([pictures], [counts], order)


def test_entropies_belong_to_pictures_by_their_name(folder: Path, tmp_path: Path) -> None:
    pictures = list_labelled(str(folder))
    file = tmp_path / "votes.json"
    rows = {"02": (0.5, 0.1, 1.0), "01": (None, 0.2, 2.0), "nobody": (0.0, 0.3, 3.0)}
    keys = ("human_entropy", "authors_uncertainty", "authors_class_entropy")
    file.write_text(json.dumps({name: dict(zip(keys, row, strict=True)) for name, row in rows.items()}))
    (found,) = read_votes([pictures], [file], None)
    assert found is not None
    place = pictures.paths.index(b"round/02.png")
    assert found["human_entropy"].to_numpy()[place] == 0.5
    assert np.isnan(found["human_entropy"].to_numpy()).sum() == 23
    assert found["authors_uncertainty"][place] == 0.1
    assert found["authors_class_entropy"][pictures.paths.index(b"square/01.png")] == 2
    for text in ("[]", '{"02": {}}', "no", '{"02": 1}'):
        file.write_text(text)
        with pytest.raises(FolderError, match="cannot be read"):
            read_votes([pictures], [file], None)
