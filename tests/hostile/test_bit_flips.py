"""Rotten bits: what they change is told, or found by `mend`, with a way out that loses no decision."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.hostile.bit_flips import COUNT, Flip, Shown, differing, flip_one, look, make

FEW, FLIPS = range(3, 6), 420
MOST_SILENT = 0.01
"""Of the flips that change anything shown, or would without being told."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, prepared_as_shipped: Path) -> tuple[Path, Shown]:
    """A workspace with a small image set and all that can be kept of it, and what is shown of it.

    A model that is damaged is prepared again, as it is shipped.
    """
    here = tmp_path_factory.mktemp("whole")
    make(here, prepared_as_shipped / "models")
    shown = look(here, with_model=True)
    assert len(shown["id"]) == COUNT
    assert not differing(shown, look(here, with_model=True))
    return here, shown


def flipped(whole: tuple[Path, Shown], tmp_path: Path, seeds: range) -> list[Flip]:
    found = []
    for seed in seeds:
        found.append(flip_one(whole[0], tmp_path / "here", seed=seed, before=whole[1]))
        shutil.rmtree(tmp_path / "here")
    return found


@pytest.mark.slow
def test_a_few_flips_are_told_or_change_nothing(whole: tuple[Path, Shown], tmp_path: Path) -> None:
    found = flipped(whole, tmp_path, FEW)
    assert {flip.kind for flip in found} <= {"same", "told", "mended"}, found


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_many_flips(whole: tuple[Path, Shown], tmp_path: Path) -> None:
    found = flipped(whole, tmp_path, range(FLIPS))
    counts = Counter(flip.kind for flip in found)
    print(f"\n{FLIPS} flips: {dict(counts)}")
    bad = [flip for flip in found if flip.kind in ("silent", "raw")]
    assert not counts["raw"], bad
    assert counts["silent"] <= MOST_SILENT * (counts["silent"] + counts["told"]), bad
