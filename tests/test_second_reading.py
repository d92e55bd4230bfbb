"""A second model reads a new set unasked once it is whole by the first; which sets it leaves alone, and a stop."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pandas as pd
import psutil
import pytest

from tests.conftest import SECOND
from tests.imaging.pictures import write_folder
from tests.pipeline.reader import Reader
from url_viz import second_reading
from url_viz.base.progress import PROGRESS_VARIABLE, Progress
from url_viz.image_set import ImageSet, open_image_set
from url_viz.imaging.workers import decoders
from url_viz.models.model import Model
from url_viz.models.model_names import PACKAGED, PackagedBackbone
from url_viz.pipeline import embed as pipeline
from url_viz.reading import embed_folder
from url_viz.second_reading import NICENESS, embed_by_two
from url_viz.store.sets import list_sets

COUNT = 16
SECOND_STAGE = f"read, {SECOND}"


@dataclass
class ByTwo:
    """Reads one folder as `embed` does, and notes which second models were loaded and what was reported."""

    reader: Reader
    second_model: Model
    model: Model
    loaded: list[str] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)

    def __call__(self, *, seen: Callable[[Progress], None] | None = None, **options: Any) -> ImageSet:
        self.loaded.clear()
        self.stages.clear()

        def load(name: str) -> Model:
            self.loaded.append(name)
            return self.second_model

        def report(step: Progress) -> None:
            self.stages.append(step.stage)
            if seen is not None:
                seen(step)

        read = partial(embed_folder, self.reader.folder, workspace=self.reader.workspace, **options)
        home, root = self.reader.workspace, self.reader.folder
        return embed_by_two(read, root, model=self.model, load=load, progress=report, workspace=home)


@pytest.fixture
def by_two(read: Reader, model: Model, second_model: Model) -> ByTwo:
    write_folder(read.folder, COUNT, classes=("cat", "dog"))
    return ByTwo(read, second_model, model)


def of_second(image_set: ImageSet) -> str | None:
    return None if image_set.core.second.active is None else image_set.core.second.active.space.backbone


def niceness_of_decoders() -> Iterator[int]:
    """Of each that runs; one that has just ended has none."""
    for one in psutil.Process().children():
        with suppress(psutil.Error):
            if "url_viz.imaging.workers" in one.cmdline():
                yield one.nice()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
def test_pages_go_before_the_second_model_of_a_job(by_two: ByTwo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads are as far behind as the one that starts them, and so are the processes that decode for them."""
    monkeypatch.setenv(PROGRESS_VARIABLE, os.devnull)
    behind: dict[str, set[int]] = {"read": set(), SECOND_STAGE: set()}

    def look(step: Progress) -> None:
        if step.stage in behind and step.done:
            behind[step.stage] |= {os.getpriority(os.PRIO_PROCESS, 0), *niceness_of_decoders()}

    decoders.close()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(by_two, seen=look).result()
    decoders.close()
    assert behind == {"read": {own}, SECOND_STAGE: {min(19, own + NICENESS)}}


def test_a_new_set_is_whole_by_the_first_before_the_second_begins(by_two: ByTwo) -> None:
    found: list[tuple[ImageSet, str]] = []

    def look(step: Progress) -> None:
        if step.stage == SECOND_STAGE:
            known = open_image_set(by_two.reader.folder, model=by_two.model.name, workspace=by_two.reader.workspace)
            found.append((known, known.core.store.version(known.space.key, None)))

    both = by_two(seen=look)
    first = found[0][0]
    assert (len(first), first.core.store.about().files_begun(first.space.key), of_second(first)) == (COUNT, None, None)
    assert "two models" not in first.order().reason
    pd.testing.assert_frame_equal(first.table(), both.single_model.table())
    assert len({version for _, version in found}) == 1, "what the second reads changes nothing that is shown meanwhile"
    assert (of_second(both), by_two.loaded) == (SECOND, [SECOND])
    assert by_two.stages.index("map") < by_two.stages.index(SECOND_STAGE)
    asked = by_two.reader(also=by_two.second_model)
    pd.testing.assert_frame_equal(asked.table(), both.table())
    assert by_two.reader.opened == 0


def test_one_that_is_stopped_leaves_the_set_whole_and_is_not_taken_up_unasked(
    by_two: ByTwo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(by_two.second_model.runtime), "batch", 4)
    monkeypatch.setattr(pipeline, "FIRST_FLUSH_PICTURES", 1)

    def stop(step: Progress) -> None:
        if step.stage == SECOND_STAGE and step.done >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        by_two(seen=stop)
    home = by_two.reader.workspace
    left = open_image_set(by_two.reader.folder, model=by_two.model.name, workspace=home)
    assert (len(left), left.core.store.about().files_begun(left.space.key), list_sets(home)["state"].tolist()) == (
        COUNT,
        None,
        [""],
    )
    assert left.core.second.incomplete is not None
    before = left.table()
    again = by_two()
    assert (by_two.loaded, of_second(again)) == ([], None)
    pd.testing.assert_frame_equal(again.table(), before)
    assert of_second(by_two.reader(also=by_two.second_model)) == SECOND


def test_a_first_reading_that_was_stopped_goes_on_by_both(by_two: ByTwo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(by_two.model.runtime), "batch", 4)
    monkeypatch.setattr(pipeline, "FIRST_FLUSH_PICTURES", 1)

    def stop(step: Progress) -> None:
        if step.stage == "read" and step.done >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        by_two(seen=stop)
    both = by_two(limit=10)
    assert (len(both), of_second(both)) == (10, SECOND), "the second reads those that the first has read"


def test_a_set_read_before_is_left_alone_and_one_of_two_models_grows_by_both(by_two: ByTwo) -> None:
    by_two.reader()
    assert (of_second(by_two()), by_two.loaded) == (None, [])
    by_two.reader(also=by_two.second_model)
    write_folder(by_two.reader.folder, 3, start=COUNT)
    seen: list[Progress] = []
    both = by_two(seen=seen.append)
    assert (of_second(both), len(both), by_two.loaded) == (SECOND, COUNT + 3, [SECOND])
    assert next(step.total for step in seen if step.stage == SECOND_STAGE) == 3
    assert (of_second(by_two()), by_two.loaded) == (SECOND, []), "there is nothing to read"
    next(by_two.reader.folder.rglob("*.*")).unlink()
    assert of_second(by_two()) == SECOND, "a picture that has left, too"
    both.core.second.enable(is_enabled=False)
    write_folder(by_two.reader.folder, 1, start=COUNT + 3)
    assert (of_second(by_two()), by_two.loaded) == (None, []), "one that is switched off reads nothing"


def test_more_pictures_than_the_bound_are_read_by_one(by_two: ByTwo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_reading, "MOST_PICTURES", COUNT - 1)
    assert (of_second(by_two()), by_two.loaded) == (None, [])
    shutil.rmtree(by_two.reader.workspace / "sets")
    monkeypatch.setattr(second_reading, "MOST_PICTURES", COUNT)
    assert of_second(by_two()) == SECOND
    monkeypatch.setattr(second_reading, "MOST_PICTURES", 2)
    write_folder(by_two.reader.folder, 2, start=COUNT)
    assert of_second(by_two()) == SECOND, "the bound is of what it has to read"


def test_none_whose_weights_are_not_here_nor_beside_one_it_was_not_measured_with(
    by_two: ByTwo, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = replace(by_two.model.space, weights_digest="own-0123456789abcdef")
    finetuned = replace(by_two, model=Model(by_two.model.source, own, by_two.model.runtime))
    assert (of_second(finetuned()), by_two.loaded) == (None, [])
    shutil.rmtree(by_two.reader.workspace / "sets")
    for name in set(PACKAGED) - {by_two.model.space.backbone}:
        absent = PackagedBackbone(**{**vars(PACKAGED[name]), "module": "nowhere_to_be_found"})
        monkeypatch.setitem(PACKAGED, name, absent)
    assert (of_second(by_two()), by_two.loaded) == (None, [])
