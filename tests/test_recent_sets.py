"""Lists of image sets: the latest first, counted as they are, and counted again only once they have changed."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.imaging.pictures import noise, write_folder
from url_viz import recent_sets
from url_viz.base.workspace import Workspace, set_id_of
from url_viz.image_set import open_image_set
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.recent_sets import THUMBNAILS, RecentSet, RecentSets, _evenly_spaced
from url_viz.store.about import read_about, write_about
from url_viz.store.sets import forget, rename


def test_the_latest_comes_first_as_it_is_now(tmp_path: Path, workspace: Path, model: Model) -> None:
    """Two folders that were read one after the other; what changes is counted again, and nothing else."""
    two = [write_folder(tmp_path / "zoo", 8, classes=("cat", "dog")), write_folder(tmp_path / "flat", 3, start=50)]
    (two[0] / "cat" / "broken.jpg").write_bytes(b"no picture")
    for folder in two:
        embed_folder(folder, model=model, workspace=workspace)
    flat, zoo = RecentSets(Workspace.at(workspace)).latest(9)
    assert [one.about.root for one in (flat, zoo)] == two[::-1]
    assert (zoo.pictures, zoo.classes, zoo.models) == (8, 2, ("tf_efficientnet_lite0",))
    assert (flat.pictures, flat.classes, flat.unfinished) == (3, 0, None)
    assert flat.read_at > zoo.read_at > 0
    assert (len(zoo.thumbnails), len(flat.thumbnails)) == (THUMBNAILS, 3)
    image_set = open_image_set(two[1], model="tf_efficientnet_lite0", workspace=workspace)
    kept = image_set.core.store.thumbnails(image_set.core.ids)
    assert flat.thumbnails == tuple(kept[int(image_id)] for image_id in image_set.table()["id"])
    assert [one.set_id for one in RecentSets(Workspace.at(workspace)).latest(1)] == [flat.set_id]
    recent = RecentSets(Workspace.at(workspace))
    before = recent.latest(9)[1]
    assert recent.latest(9)[1].thumbnails is before.thumbnails, "nothing is counted again"
    noise(99).save(two[0] / "cat" / "new.jpg")
    embed_folder(two[0], model=model, workspace=workspace)
    rename(two[0], "My zoo", workspace=workspace)
    first, second = recent.latest(9)
    assert (first.pictures, first.about.name) == (9, "My zoo")
    open_image_set(two[0], model="tf_efficientnet_lite0", workspace=workspace).labels.use(None)
    assert recent.latest(1)[0].classes == 0
    paths = Workspace.at(workspace).set_paths(set_id_of(two[1]))
    about = read_about(paths)
    write_about(paths, type(about)(about.root, about.spaces))  # as one whose reading never came to an end
    os.utime(paths.about, (1000.0, 1000.0))
    assert [one.read_at for one in RecentSets(Workspace.at(workspace)).latest(9)][1] == 1000.0
    forget(two[1], workspace=workspace)
    assert [one.set_id for one in recent.latest(9)] == [first.set_id] != [second.set_id]
    assert second.set_id not in recent._known, "its thumbnails are not kept either"


def test_nobody_waits_while_another_page_counts_a_set_that_was_counted_before(
    tmp_path: Path, workspace: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo, flat = write_folder(tmp_path / "zoo", 4), write_folder(tmp_path / "flat", 3, start=50)
    for folder in (zoo, flat):
        embed_folder(folder, model=model, workspace=workspace)
    recent = RecentSets(Workspace.at(workspace))
    recent.latest(9)
    noise(99).save(zoo / "new.jpg")
    embed_folder(zoo, model=model, workspace=workspace)
    begun, go_on, counted = threading.Event(), threading.Event(), recent_sets._counted

    def slowly(*arguments: Any) -> RecentSet:
        begun.set()
        assert go_on.wait(60)
        return counted(*arguments)

    monkeypatch.setattr(recent_sets, "_counted", slowly)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(recent.latest, 9)
        assert begun.wait(60)
        try:
            assert [one.pictures for one in pool.submit(recent.latest, 9).result(20)] == [4, 3]
        finally:
            go_on.set()
        assert [one.pictures for one in first.result(60)] == [5, 3]


@pytest.mark.parametrize("count", [0, 1, THUMBNAILS, THUMBNAILS + 1, 1000])
def test_the_pictures_shown_are_spread_over_the_set(count: int) -> None:
    paths = [b"%04d" % number for number in range(count)]
    ids = np.arange(count, dtype=np.int64)
    shuffled = np.random.default_rng(0).permutation(count)
    shown = _evenly_spaced(ids[shuffled], [paths[row] for row in shuffled])
    assert len(shown) == min(count, THUMBNAILS) == len(set(shown))
    assert list(shown) == sorted(shown)
    if count > 1:
        assert (shown[0], shown[-1]) == (0, count - 1)
