"""A folder of everything that goes wrong: the command reads every good picture, and tells of every bad one why."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.hostile.zoo import Case, Special, build, everything, oriented
from tests.imaging.pictures import noise, write_folder
from tests.processes import embed_words, run_python
from url_viz.base.progress import Progress
from url_viz.cli.embed_command import STRICT_STATUS
from url_viz.cli.main import main
from url_viz.image_set import ImageSet, open_image_set
from url_viz.imaging.places import image_id
from url_viz.imaging.scan import display_name
from url_viz.models.model import Model
from url_viz.models.model_names import DEFAULT
from url_viz.reading import embed_folder

MOST_SECONDS = 60
MOST_MIB = 2_200
"""Of the whole run, a picture of 60 megapixels (240 MiB as Pillow holds it) and the model among it."""
LOOPS = (b"twice/loop", b"twice/again")
pytestmark = pytest.mark.slow


class Zoo:
    """The zoo on disk, read by the real command."""

    def __init__(self, root: Path, workspace: Path) -> None:
        self.root, self.workspace = root, workspace
        self.cases = [case for case in everything() if case.path not in LOOPS]
        root.mkdir()
        build(root, everything())
        self.first = self.run()
        self.image_set = open_image_set(root, model=DEFAULT, workspace=workspace)

    def run(self) -> "subprocess.CompletedProcess[str]":
        """`embed` under a small program that prints its child's peak memory in KiB as the last line."""
        measure = "import resource, subprocess, sys; status = subprocess.call(sys.argv[1:]); "
        measure += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(status)"
        embed = [sys.executable, "-m", "url_viz", *embed_words(self.root, self.workspace)]
        return run_python("-c", measure, *embed, timeout=MOST_SECONDS)

    @property
    def good(self) -> list[Case | Special]:
        return [case for case in self.cases if case.reason is None]


@pytest.fixture(scope="module")
def zoo(module_workspace: Path) -> Zoo:
    return Zoo(module_workspace.parent / "pictures", module_workspace)


def test_the_command_ends_well_in_bounded_memory(zoo: Zoo) -> None:
    assert zoo.first.returncode == 0, zoo.first.stderr
    assert f"{len(zoo.good)} pictures in" in zoo.first.stdout
    assert "Traceback" not in zoo.first.stderr
    assert int(zoo.first.stdout.split()[-1]) >> 10 < MOST_MIB


def test_every_good_picture_is_embedded_at_its_size(zoo: Zoo) -> None:
    table = zoo.image_set.table().set_index("id")
    assert set(table.index) == {image_id(case.path) for case in zoo.good}
    for case in zoo.good:
        if isinstance(case, Case) and case.size is not None:
            row = table.loc[image_id(case.path)]
            assert (row["width"], row["height"]) == case.size, case.path
    assert all(zoo.image_set.files.path(number).exists() for number in table.index)
    assert zoo.image_set.core.store.thumbnails([image_id(b"good/large.png")]), "60 megapixels were truly decoded"
    embeddings = zoo.image_set.embeddings()
    assert np.isfinite(embeddings).all()
    assert (np.linalg.norm(embeddings, axis=1) > 0).all()


def test_every_bad_file_has_its_reason(zoo: Zoo) -> None:
    reasons = dict(zoo.image_set.failures().itertuples(index=False))
    bad = {display_name(case.path): case.reason for case in zoo.cases if case.reason is not None}
    assert set(reasons) == set(bad)
    for path, words in bad.items():
        assert re.search(words, reasons[path]), (path, reasons[path])


def test_strict_fails_and_reads_nothing_again(zoo: Zoo, capsys: pytest.CaptureFixture[str]) -> None:
    before = zoo.image_set.failures()
    assert main([*embed_words(zoo.root, zoo.workspace), "--strict"]) == STRICT_STATUS
    assert "read 0 of 0" in capsys.readouterr().err
    assert open_image_set(zoo.root, model=DEFAULT, workspace=zoo.workspace).failures().equals(before)


def test_the_export_is_a_table_that_other_programs_read(zoo: Zoo, tmp_path: Path) -> None:
    """Names with newlines, quotes, escapes and bytes that are no text: one row each all the same."""
    out = tmp_path / "out.csv"
    assert main(["export", "table", str(zoo.root), str(out), "--workspace", str(zoo.workspace)]) == 0
    table = pd.read_csv(out)
    assert len(table) == len(zoo.good)
    assert set(table["id"]) == set(zoo.image_set.table()["id"])
    assert all(name.isprintable() for name in table["path"])


def test_a_picture_has_one_embedding_whichever_way_it_was_laid_down(zoo: Zoo) -> None:
    assert _least_cosine(zoo.image_set, "png") > 0.999
    assert _least_cosine(zoo.image_set, "jpg") > 0.98  # blocks of 8 × 8 fall differently on a turned picture


def _least_cosine(image_set: ImageSet, ending: str) -> float:
    paths = [case.path for case in oriented() if case.path.endswith(ending.encode())]
    rows = [image_set.core.row_of(image_id(path)) for path in paths]
    vectors = image_set.embeddings()[rows]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return float((unit @ unit[0]).min())


def test_one_file_at_three_paths_is_three_rows_and_one_content(zoo: Zoo) -> None:
    table = zoo.image_set.table().set_index("path")
    group = table.loc[["twice/here.png", "twice/symlink.png", "twice/hardlink.png"], "twin_group"]
    assert group.nunique() == 1
    assert not [path for path in table.index if path.startswith(("twice/loop", "twice/again"))]


class TestWhileItIsRead:
    """The folder changes between the scan and the reading of its files."""

    def test_files_vanish_appear_and_change(self, tmp_path: Path, workspace: Path, model: Model) -> None:
        root = write_folder(tmp_path / "pictures", 8)

        def meddle(progress: Progress) -> None:
            if progress.stage == "read" and progress.done == 0:
                (root / "0003.jpg").unlink()
                noise(99, width=80, height=80).save(root / "0004.jpg")
                (root / "0005.jpg").write_bytes((root / "0005.jpg").read_bytes()[:300])
                write_folder(root, 1, start=50)

        first = embed_folder(root, model=model, workspace=workspace, progress=meddle)
        reasons = dict(first.failures().itertuples(index=False))
        assert "no longer exists" in reasons.pop("0003.jpg")
        assert "cut short" in reasons.pop("0005.jpg")
        assert not reasons
        assert first.table().set_index("path").loc["0004.jpg", "width"] == 80
        seen: list[Progress] = []
        second = embed_folder(root, model=model, workspace=workspace, progress=seen.append)
        assert max(p.total for p in seen if p.stage == "read") == 3, "what changed or came, and nothing else"
        assert len(second) == 7
        assert list(second.failures()["path"]) == ["0005.jpg"]

    def test_a_folder_is_replaced_by_a_pipe(self, tmp_path: Path, workspace: Path, model: Model) -> None:
        root = write_folder(tmp_path / "pictures", 4, classes=("a", "b"))

        def meddle(progress: Progress) -> None:
            if progress.stage == "read" and progress.done == 0 and (root / "a").is_dir():
                (root / "a").rename(tmp_path / "away")
                os.mkfifo(root / "a")

        image_set = embed_folder(root, model=model, workspace=workspace, progress=meddle)
        assert len(image_set) == 2
        assert all("cannot be opened: Not a directory" in reason for reason in image_set.failures()["reason"])
