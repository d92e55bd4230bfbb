"""Pictures exchanged for links to a private file, before or while the app reads them: no byte of it leaves."""

import io
import json
import os
import random
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.browser.fixtures import eventually
from tests.given import given_set
from tests.imaging.pictures import noise, write_folder
from tests.read_sets import copied
from training.data.spec import FileSource, list_pictures
from training.full.full_finetuning import split_pictures
from url_viz.base.errors import ImageError, ImageSetError
from url_viz.base.processes import within_variable
from url_viz.base.progress import Progress
from url_viz.drawing.tiles import picture_url
from url_viz.export.data_sets import DATA_SETS, Program
from url_viz.export.folders import SortedFolders, sort_into_folders
from url_viz.export.picture_files import How
from url_viz.image_set import ImageSet
from url_viz.imaging.decode import OUTSIDE, Preprocessing, lies_within
from url_viz.jobs import JobState, cancel_job, log_tail
from url_viz.jobs.kinds import (
    ADAPT,
    about_of,
    config_to_adapt,
    config_to_pretrain,
    out_of,
    start_export,
    start_pretraining,
)
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.ui.evaluate import crop_sample
from url_viz.ui.explore.export import zip_chosen
from url_viz.ui.http import routes
from url_viz.ui.open_sets import open_sets

pytestmark = pytest.mark.slow

PRIVATE = b"-----BEGIN PRIVATE KEY-----"
PATHS = tuple(f"{name}/{number}.png" for name in ("cat", "dog") for number in range(4))
EXCHANGED = "cat/1.png"
PROGRAMS: tuple[Program, ...] = ("fiftyone", "huggingface")
WAYS = ("chain", "relative", "magic", "pipe")
HOWS: tuple[How, ...] = ("link", "copy")

Write = Callable[[ImageSet, Path], Any]
"""Gives what was done, if it says so."""


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """The pictures `PATHS`, all decided on."""
    image_set = given_set(tmp_path_factory.mktemp("once"), PATHS)
    image_set.decisions.decide(image_set.core.ids.tolist(), "keep")
    return image_set


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the app may read, its workspace in it; beside it lies a picture that ends with a private key."""
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    for number in range(4):
        noise(70 + number).save(folder_of_secrets(allowed) / f"{number}.png")
        with (folder_of_secrets(allowed) / f"{number}.png").open("ab") as file:
            file.write(PRIVATE)
    monkeypatch.setenv("URL_VIZ_ROOTS", str(allowed))
    monkeypatch.setenv("URL_VIZ_HOME", str(allowed / "home"))
    return allowed


def folder_of_secrets(base: Path) -> Path:
    folder = base.parent / "private"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def in_the_app(once: ImageSet, base: Path) -> ImageSet:
    """A copy of them, as the app has it open."""
    image_set = copied(once, base / "photos", home=base / "home")
    return open_sets().get(image_set.set_id, image_set.source.name)


def exchange(base: Path, path: str = EXCHANGED) -> None:
    """Put a link to a private file in the place of a picture, in one step."""
    link = base / "exchanging"
    link.symlink_to(folder_of_secrets(base) / "1.png")
    os.replace(link, base / "photos" / path)


def data_set(program: Program, how: How) -> Write:
    return lambda image_set, out: DATA_SETS[program].write(image_set, out, how=how)


def zipped(program: Program) -> Write:
    def write(image_set: ImageSet, out: Path) -> None:
        out.mkdir()
        with zipfile.ZipFile(io.BytesIO(zip_chosen(image_set, image_set.core.ids.tolist(), program=program))) as packed:
            packed.extractall(out)

    return write


def sorted_by(by: str, how: How) -> Write:
    return lambda image_set, out: sort_into_folders(image_set, out, by=by, how=how)


EXPORTS: dict[str, Write] = {
    **{f"{program}, {how}": data_set(program, how) for program in PROGRAMS for how in HOWS},
    **{f"{program}, zip": zipped(program) for program in PROGRAMS},
    **{f"sort by {by}, {how}": sorted_by(by, how) for by in ("decision", "label") for how in HOWS},
}


def leaked(out: Path) -> list[str]:
    """Files in which there is a private byte; what is only named or linked is not in them."""
    files = (path for path in out.rglob("*") if path.is_file() and not path.is_symlink())
    return [str(path.relative_to(out)) for path in files if PRIVATE in path.read_bytes()]


def pictures_in(out: Path) -> int:
    return sum(path.suffix == ".png" for path in out.rglob("*"))


@pytest.mark.parametrize("export", EXPORTS)
def test_an_export_leaves_out_and_tells_what_became_a_link(
    in_the_app: ImageSet, base: Path, tmp_path: Path, export: str
) -> None:
    """And follows a link that stays inside."""
    exchange(base)
    (base / "photos" / "dog" / "0.png").unlink()
    (base / "photos" / "dog" / "0.png").symlink_to(base / "photos" / "cat" / "0.png")
    done = EXPORTS[export](in_the_app, tmp_path / "out")
    assert leaked(tmp_path / "out") == []
    if "sort" not in export:
        (told,) = (tmp_path / "out").rglob("left-out.txt")
        assert told.read_text() == f"{EXCHANGED} {OUTSIDE}\n"
    assert pictures_in(tmp_path / "out") == len(PATHS) - 1
    if done is not None:
        assert [*done.left_out] == [(EXCHANGED, OUTSIDE)]
        assert any(EXCHANGED in sentence and OUTSIDE in sentence for sentence in done.words)
    if isinstance(done, SortedFolders):
        again = EXPORTS[export](in_the_app, tmp_path / "out")
        assert (again.present, again.left_out) == (len(PATHS) - 1, done.left_out)


def test_a_folder_that_became_a_link_leaves_nothing_to_export(in_the_app: ImageSet, base: Path, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        os.rename(base / "photos" / name, base / name)
        (base / "photos" / name).symlink_to(folder_of_secrets(base))
    for program in PROGRAMS:
        with pytest.raises(ImageSetError, match=OUTSIDE):
            DATA_SETS[program].write(in_the_app, tmp_path / "out", how="copy")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("program", PROGRAMS)
def test_one_exchanged_while_others_are_copied_is_left_out(
    in_the_app: ImageSet, base: Path, tmp_path: Path, program: Program
) -> None:
    def progress(now: Progress) -> None:
        if now.done == 1:
            exchange(base)

    done = DATA_SETS[program].write(in_the_app, tmp_path / "out", how="copy", progress=progress)
    assert done.left_out == ((EXCHANGED, OUTSIDE),)
    assert leaked(tmp_path / "out") == []


@pytest.mark.parametrize("program", ["huggingface", pytest.param("fiftyone", marks=pytest.mark.torture)])
def test_the_job_that_shares_holds_to_what_the_app_may_read(in_the_app: ImageSet, base: Path, program: Program) -> None:
    exchange(base)
    job = start_export(in_the_app, program=program, ids=None, how="copy", name="zoo")
    eventually(lambda: not job.status().is_live)
    assert job.state is JobState.SUCCEEDED, log_tail(job, 20)
    assert OUTSIDE in log_tail(job, 20)
    assert leaked(out_of(job)) == []


def test_on_the_command_line_links_are_followed_unless_it_is_asked(once: ImageSet, base: Path, tmp_path: Path) -> None:
    image_set = copied(once, base / "photos", home=base / "home")
    exchange(base)
    done = DATA_SETS["huggingface"].write(image_set, tmp_path / "out", how="copy")
    assert done.left_out == ()
    assert leaked(tmp_path / "out") == [f"train/{EXCHANGED}"]


class TestReading:
    """A picture's bytes within the app, and as a folder is read."""

    def test_nothing_in_the_app_reads_it(self, in_the_app: ImageSet, base: Path) -> None:
        exchange(base)
        image_id = int(in_the_app.table().set_index("path")["id"][EXCHANGED])
        client = TestClient(Starlette(routes=routes()), base_url="http://127.0.0.1")
        url = picture_url(in_the_app, image_id)
        assert client.get(url).status_code == 404
        fetch = {subject.id: subject.fetch for subject in crop_sample(in_the_app, 100)}[image_id]
        files, single = in_the_app.files, in_the_app.single_model.files
        for read in (files.data, files.read, lambda _: fetch(), single.data):
            with pytest.raises(ImageError, match=OUTSIDE):
                read(image_id)
        (base / "photos" / EXCHANGED).unlink()
        (base / "photos" / EXCHANGED).symlink_to(base / "photos" / "cat" / "0.png")
        assert client.get(url).status_code == 200, "a link inside is served"

    def test_nor_one_exchanged_between_listing_and_reading(
        self, base: Path, workspace: Path, bare_model: Model
    ) -> None:
        folder = write_folder(base / "photos", 3)

        def progress(now: Progress) -> None:
            if now.stage == "scan" and now.done and not (folder / "0001.jpg").is_symlink():
                exchange(base, "0001.jpg")

        image_set = embed_folder(folder, model=bare_model, workspace=workspace, within=(base,), progress=progress)
        assert image_set.table()["path"].tolist() == ["0000.jpg", "0002.jpg"]
        assert image_set.failures().to_numpy().tolist() == [["0001.jpg", OUTSIDE]]

    @pytest.mark.parametrize("way", WAYS)
    def test_no_other_kind_of_link_leads_out(self, in_the_app: ImageSet, base: Path, way: str) -> None:
        place = base / "photos" / EXCHANGED
        place.unlink()
        link(place, way, base)
        with pytest.raises(ImageError, match=OUTSIDE):
            in_the_app.files.data(int(in_the_app.table().set_index("path")["id"][EXCHANGED]))


def link(place: Path, way: str, base: Path) -> None:
    """Make `place` a link of some kind to what is private."""
    secret = folder_of_secrets(base) / "1.png"
    if way == "chain":
        between = place.with_name(f"{random.random()}.link")
        between.symlink_to(secret)
        place.symlink_to(between)
    elif way == "relative":
        place.symlink_to(os.path.relpath(secret, place.parent))
    elif way == "magic":
        place.symlink_to(f"/proc/self/root{secret}")
    else:
        pipe = secret.with_suffix(".pipe")
        if not pipe.exists():
            os.mkfifo(pipe)
        place.symlink_to(pipe)


@contextmanager
def exchanging(base: Path, seed: int) -> Iterator[None]:
    """Exchange pictures and folders for links and back, again and again, until the end."""
    is_over = threading.Event()
    thread = threading.Thread(target=exchange_all, args=(base, random.Random(seed), is_over))
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def exchange_all(base: Path, draw: random.Random, is_over: threading.Event) -> None:
    while not is_over.is_set():
        exchange_one(base, draw)


def exchange_one(base: Path, draw: random.Random) -> None:
    """Exchange one picture or one folder for a link, or put it back."""
    name = draw.choice([*PATHS, "cat", "dog"])
    place, away = base / "photos" / name, base / name.replace("/", "-")
    if place.parent.is_symlink():
        return
    if place.is_symlink():
        place.unlink()
        os.rename(away, place)
        return
    os.rename(place, away)
    if place.suffix:
        link(place, draw.choice(WAYS), base)
    else:
        place.symlink_to(folder_of_secrets(base))


def tried(image_set: ImageSet, base: Path, seed: int, export: str) -> None:
    """One export while pictures are exchanged; what it gives must hold nothing private."""
    draw, out = random.Random(seed), base.parent / f"out-{seed}"
    for _ in range(draw.randrange(6)):
        exchange_one(base, draw)
    with exchanging(base, seed), suppress(ImageSetError):  # where not one is left
        EXPORTS[export](image_set, out)
    assert not out.exists() or leaked(out) == []


def test_a_link_that_is_exchanged_while_it_is_followed_leads_nowhere(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two system calls of `realpath` it may become a file, or vanish."""

    def realpath(path: str) -> str:
        raise FileNotFoundError(2, "No such file or directory", path)

    assert lies_within(base / "photos", (base,))
    monkeypatch.setattr("url_viz.imaging.decode.os.path.realpath", realpath)
    assert not lies_within(base / "photos", (base,))
    assert lies_within(base / "photos", None)


@pytest.mark.parametrize("export", [f"{program}, copy" for program in PROGRAMS] + ["sort by label, link"])
def test_nothing_private_leaves_while_pictures_are_exchanged(in_the_app: ImageSet, base: Path, export: str) -> None:
    tried(in_the_app, base, 0, export)


@pytest.mark.torture
@pytest.mark.parametrize("export", EXPORTS)
def test_nor_however_they_are_exchanged(in_the_app: ImageSet, base: Path, export: str) -> None:
    for seed in range(150):
        tried(in_the_app, base, seed, export)


class TestTraining:
    """Jobs that adapt and make heads, as pages start them, read the folder itself."""

    def test_what_leads_out_is_neither_listed_nor_read(
        self, in_the_app: ImageSet, base: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in within_variable(in_the_app.within).items():
            monkeypatch.setenv(name, value)
        exchange(base)
        found = list_pictures(f"folder:{in_the_app.root}")
        assert [path.decode() for path in found.paths] == [path for path in PATHS if path != EXCHANGED]
        exchange(base, "dog/1.png")
        with pytest.raises(ImageError, match=OUTSIDE):
            FileSource(found, 8).picture(found.paths.index(b"dog/1.png")).load()
        split = split_pictures(
            found, Preprocessing(), share=0.4, embed=lambda crops: np.eye(len(crops), dtype=np.float32)
        )
        assert split.unreadable == 1

    @pytest.mark.torture
    def test_a_job_that_adapts_holds_to_what_the_app_may_read(
        self, base: Path, workspace: Path, bare_model: Model, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("URL_VIZ_HOME", str(workspace))
        read = embed_folder(write_folder(base / "photos", 3), model=bare_model, workspace=workspace)
        for number in range(3):
            exchange(base, f"{number:04d}.jpg")
        found = open_sets().get(read.set_id, read.source.name)
        config, about = replace(config_to_adapt(found), device="cpu"), about_of(found)
        job = ADAPT.start(config, about=about, workspace=found.workspace, within=found.within)
        eventually(lambda: not job.status().is_live)
        assert "No pictures in" in log_tail(job, 20)

    def test_jobs_that_adapt_and_make_heads_are_told(self, in_the_app: ImageSet, base: Path) -> None:
        """And end at once: there is no such model."""
        adapting = replace(config_to_adapt(in_the_app), model="no_such_model")
        making = config_to_pretrain([in_the_app.root], [], backbone="no_such_model")
        home = in_the_app.workspace
        for job in (
            ADAPT.start(adapting, about=about_of(in_the_app), workspace=home, within=[base]),
            start_pretraining(making, teachers="zoo", workspace=home, within=[base]),
        ):
            assert json.loads(job.config.env["URL_VIZ_WITHIN"]) == [str(base)]
            cancel_job(job, grace_s=0)
