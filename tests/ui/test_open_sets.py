"""One loaded model serves the whole app, one caller at a time, under whatever head is asked for."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.browser.fixtures import eventually
from tests.conftest import SIDE_PX, dice_head
from tests.imaging.pictures import write_folder
from tests.store.test_store import files
from tests.ui.pages import opened
from url_viz.base.errors import CheckpointError
from url_viz.base.workspace import Workspace
from url_viz.columns.filters import ReviewSpec
from url_viz.image_set import ImageSet, open_set
from url_viz.models.head import save_head
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.store.tables.writer import Writer
from url_viz.ui.first_page import example_of
from url_viz.ui.leaving_out import evidence_of
from url_viz.ui.open_sets import MOST_OPEN, OpenSets, open_sets, running_model
from url_viz.ui.review.desk import opened_review


@pytest.fixture(autouse=True)
def _home(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("URL_VIZ_HOME", str(workspace))


def test_it_is_loaded_once_and_reads_a_head_that_was_written_again(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    save_head(dice_head(1), path)
    with running_model(str(path)) as first:
        pass
    save_head(dice_head(2), path)
    with running_model(str(path)) as second:
        pass
    assert first.runtime is second.runtime
    assert first.source.head is not None
    assert second.source.head is not None
    assert first.source.head.digest != second.source.head.digest


def test_one_caller_at_a_time(model: Model) -> None:
    inside, most = 0, 0

    def use() -> None:
        nonlocal inside, most
        with running_model(model.name) as running:
            inside += 1
            most = max(most, inside)
            running.run(np.zeros((1, SIDE_PX, SIDE_PX, 3), np.uint8))
            inside -= 1

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside, most) == (0, 1)


def test_errors_let_go_of_the_lock(tmp_path: Path, model: Model) -> None:
    with pytest.raises(CheckpointError), running_model(str(tmp_path / "none.safetensors")):
        pass
    with running_model(model.name) as running:
        assert running.head is not None


def test_nobody_waits_for_another_set_that_is_opened(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sets, begun, go_on, slow = OpenSets(Workspace.at(workspace)), threading.Event(), threading.Event(), "f" * 16

    def slowly(set_id: str, **options: Any) -> ImageSet:
        if set_id == slow:
            begun.set()
            assert go_on.wait(60)
        return open_set(set_id, **options)

    monkeypatch.setattr("url_viz.ui.open_sets.open_set", slowly)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(sets.find, slow)
        assert begun.wait(60)
        try:
            others = [pool.submit(sets.find, f"{number:016x}") for number in range(200)]
            assert all(other.result(20) is None for other in others)
        finally:
            go_on.set()
        assert waiting.result(60) is None


def test_made_up_ids_leave_nothing_behind(workspace: Path) -> None:
    sets = OpenSets(Workspace.at(workspace))
    assert all(sets.thumbnail(f"{number:016x}", 1) is None for number in range(50))
    assert not sets._stores


@pytest.mark.slow
def test_a_set_that_grows_leaves_no_snapshots_behind(tmp_path: Path, workspace: Path, model: Model) -> None:
    """Whatever pages have worked out of each: figures, evidence, the example, a review."""
    root = write_folder(tmp_path / "pictures", 24, classes=("cat", "dog"))
    set_id = embed_folder(root, model=model, workspace=workspace).set_id
    sets, seen = OpenSets(Workspace.at(workspace)), []
    for number in range(MOST_OPEN + 2):
        with Writer(Workspace.at(workspace).set_paths(set_id), root) as writer:
            writer.add_images(files([number], content=-1, thumbnail=None))
        image_set = sets.get(set_id, model.name)
        image_set.decisions.decide(image_set.core.ids[:1].tolist(), "drop")
        assert image_set.cached(ImageSet.evaluate) is not None
        assert image_set.cached(evidence_of, "entropy") is not None
        assert example_of(image_set) is not None
        review = opened_review(image_set.reviews.open(ReviewSpec("entropy")))
        seen.append((weakref.ref(image_set), review))
        del image_set
    # Nothing is collected while another thread does.
    eventually(lambda: gc.collect() >= 0 and sum(one() is not None for one, _ in seen) <= MOST_OPEN)


def test_what_pages_drew_of_a_set_goes_with_it(tmp_path: Path, workspace: Path, model: Model) -> None:
    root = write_folder(tmp_path / "pictures", 24, classes=("cat", "dog"))
    image_set = embed_folder(root, model=model, workspace=workspace)
    for page in ("evaluate", "search"):
        assert not opened(image_set, page).exception
    results = open_sets().get(image_set.set_id, model.name).cached(ImageSet.evaluate)
    assert results is not None
    seen = weakref.ref(results)
    del results
    open_sets().forget(image_set.set_id)
    eventually(lambda: gc.collect() >= 0 and seen() is None)
