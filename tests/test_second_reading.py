"""A second model reads a new set unasked once it is whole by the first; which sets it leaves alone, and a stop."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from PIL import Image

from tests.conftest import SECOND
from tests.imaging.pictures import write_folder
from tests.object_store import BUCKET, let_in, object_store
from tests.pipeline.reader import Reader
from url_viz import second_reading
from url_viz.base.errors import FolderError
from url_viz.base.progress import PROGRESS_VARIABLE, Progress
from url_viz.base.workspace import root_of
from url_viz.image_set import ImageSet, open_image_set
from url_viz.imaging.workers import Decoders, decoders
from url_viz.models.model import Model
from url_viz.models.model_names import PACKAGED, PackagedBackbone
from url_viz.pipeline import embed as pipeline
from url_viz.pipeline import stash as stashing
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


class TestStash:
    """Where files are dear to read, crops for the second opinion are cut in the first reading, and wait."""

    @pytest.fixture(autouse=True)
    def asked(self, by_two: ByTwo, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
        """The pictures that are decoded; the second model is known by the size of its crops here."""
        sized = replace(PACKAGED[SECOND], preprocessing=by_two.second_model.space.preprocessing)
        monkeypatch.setitem(PACKAGED, SECOND, sized)
        shutil.rmtree(by_two.reader.folder)
        pictures: list[bytes] = []
        ask = Decoders.read
        monkeypatch.setattr(
            Decoders, "read", lambda self, data, *a, **k: pictures.append(data) or ask(self, data, *a, **k)
        )
        return pictures

    @pytest.fixture
    def alone(self, by_two: ByTwo, workspace: Path) -> Callable[[], ImageSet]:
        """Reads the folder by both models at once, from its files, into a workspace of its own."""

        def reads() -> ImageSet:
            other = by_two.reader.folder.parent / "other"
            shutil.copytree(workspace / "models", other / "models")
            first, second = by_two.model, by_two.second_model
            return embed_folder(by_two.reader.folder, model=first, also=second, workspace=other)

        return reads

    @pytest.mark.parametrize("mode", ["RGB", "I;16"])
    def test_crops_that_wait_give_what_the_files_would_which_may_be_gone(
        self, by_two: ByTwo, alone: Callable[[], ImageSet], asked: list[bytes], mode: str
    ) -> None:
        write_dear(by_two.reader.folder, COUNT, mode=mode)
        from_files = alone()
        asked.clear()

        def remove(step: Progress) -> None:
            if step.stage == SECOND_STAGE:
                shutil.rmtree(by_two.reader.folder, ignore_errors=True)

        both = by_two(seen=remove)
        assert len(asked) == COUNT
        assert (of_second(both), by_two.loaded) == (SECOND, [SECOND])
        assert not stash_of(both).exists()
        for space in (
            both.space,
            both.space.squeezed,
            by_two.second_model.space.seeing(both.space.preprocessing.rendering),
        ):
            read, expected = (each.core.store.embeddings(space.key, both.core.contents) for each in (both, from_files))
            assert len(expected.content) == COUNT
            np.testing.assert_array_equal(read.embedding, expected.embedding)
        pd.testing.assert_frame_equal(both.table(), from_files.table())
        assert both.core.store.about().remarks == from_files.core.store.about().remarks

    def test_one_that_is_killed_goes_on_where_it_was_also_without_its_source(
        self, by_two: ByTwo, alone: Callable[[], ImageSet], asked: list[bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(type(by_two.second_model.runtime), "batch", 4)
        monkeypatch.setattr(pipeline, "FLUSH_PICTURES", 4)
        monkeypatch.setattr(pipeline, "FIRST_FLUSH_PICTURES", 4)
        write_dear(by_two.reader.folder, COUNT)
        from_files = alone()

        def kill(step: Progress) -> None:
            if step.stage == SECOND_STAGE and step.done >= 8:
                raise RuntimeError("killed")

        with pytest.raises(RuntimeError, match="killed"):
            by_two(seen=kill)
        home = by_two.reader.workspace
        left = open_image_set(by_two.reader.folder, model=by_two.model.name, workspace=home)
        assert (len(left), of_second(left)) == (COUNT, None)
        assert left.core.store.about().files_begun(left.space.key) is None
        away = by_two.reader.folder.rename(by_two.reader.folder.with_name("away"))
        asked.clear()
        seen: list[Progress] = []
        with pytest.raises(FolderError):
            by_two(seen=seen.append)
        assert next(step.total for step in seen if step.stage == SECOND_STAGE) == COUNT - 8
        away.rename(by_two.reader.folder)
        again = open_image_set(by_two.reader.folder, model=by_two.model.name, workspace=home)
        assert (of_second(again), asked, stash_of(again).exists()) == (SECOND, [], False)
        pd.testing.assert_frame_equal(again.table(), from_files.table())

    def test_what_is_torn_damaged_or_foreign_is_read_from_its_file(
        self, by_two: ByTwo, alone: Callable[[], ImageSet], asked: list[bytes]
    ) -> None:
        write_dear(by_two.reader.folder, COUNT)
        from_files = alone()
        asked.clear()

        def hurt(step: Progress) -> None:
            if step.stage == "map" and not step.done:
                [stash] = by_two.reader.workspace.glob("sets/*/stash/*.crops")
                data = bytearray(stash.read_bytes())
                data[len(data) // COUNT // 2] ^= 1
                stash.write_bytes(data[: -len(data) // COUNT // 3])
                stash.with_name("0123.crops").write_bytes(data)

        both = by_two(seen=hurt)
        assert len(asked) == COUNT + 2
        assert not stash_of(both).exists()
        pd.testing.assert_frame_equal(both.table(), from_files.table())

    def test_a_bound_holds_and_others_are_read_from_their_files(
        self, by_two: ByTwo, alone: Callable[[], ImageSet], asked: list[bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(type(by_two.model.runtime), "batch", 4)
        monkeypatch.setattr(stashing, "MOST_BYTES", 9 * record_bytes(by_two))
        write_dear(by_two.reader.folder, COUNT)
        from_files = alone()
        asked.clear()
        both = by_two()
        assert len(asked) == COUNT + COUNT - 8
        pd.testing.assert_frame_equal(both.table(), from_files.table())

    def test_small_files_of_this_machine_are_read_again(self, by_two: ByTwo, asked: list[bytes]) -> None:
        write_folder(by_two.reader.folder, COUNT, classes=("cat", "dog"))
        sizes: set[int] = set()

        def look(step: Progress) -> None:
            sizes.update(path.stat().st_size for path in by_two.reader.workspace.glob("sets/*/stash/*"))

        both = by_two(seen=look)
        assert (sizes, len(asked), stash_of(both).exists()) == ({0}, 2 * COUNT, False)

    def test_none_is_left_where_no_second_opinion_follows(self, by_two: ByTwo) -> None:
        write_dear(by_two.reader.folder, COUNT)

        def stop(step: Progress) -> None:
            if step.stage == SECOND_STAGE:
                raise KeyboardInterrupt

        def kill(step: Progress) -> None:
            if step.stage == SECOND_STAGE:
                raise RuntimeError

        with pytest.raises(KeyboardInterrupt):
            by_two(seen=stop)
        left = by_two()
        assert (of_second(left), by_two.loaded, stash_of(left).exists()) == (None, [], False)
        shutil.rmtree(by_two.reader.workspace / "sets")
        with pytest.raises(RuntimeError):
            by_two(seen=kill)
        assert stash_of(left).exists()
        by_two.reader()  # by one model alone
        assert not stash_of(left).exists()

    def test_a_bucket_gives_each_picture_once(
        self, by_two: ByTwo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = write_folder(tmp_path / "files", COUNT, classes=("cat", "dog"))
        with object_store() as store:
            let_in(store, monkeypatch)
            store.fill(folder, "second")
            by_two.reader.folder = root_of(f"s3://{BUCKET}/second")
            both = by_two()
            assert of_second(both) == SECOND
            assert sorted(store.asked) == sorted(set(store.asked))


def write_dear(folder: Path, count: int, *, mode: str = "RGB") -> None:
    """PNGs that take more than crops of them."""
    rng = np.random.default_rng(0)
    for number in range(count):
        path = folder / ("cat", "dog")[number % 2] / f"{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (240, 320) if mode == "I;16" else (240, 320, 3)
        Image.fromarray(
            rng.integers(0, 4096 if mode == "I;16" else 256, shape, np.uint16 if mode == "I;16" else np.uint8)
        ).save(path)


def record_bytes(by_two: ByTwo) -> int:
    return sum(3 * model.space.preprocessing.size_px**2 for model in (by_two.model, by_two.second_model)) + 12


def stash_of(image_set: ImageSet) -> Path:
    return image_set.core.store.paths.stash
