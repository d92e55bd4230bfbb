"""The demo set is built offline in seconds, the same each time, and its measure finds a planted order."""

import socket
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.imaging.pictures import noise
from tests.test_examples import FEW
from url_viz import demo as demo_module
from url_viz.analysis.between import question_of
from url_viz.analysis.ranking import with_percentile
from url_viz.demo import build_demo, degradations, demo_view, measure, photograph_names, views
from url_viz.errors import FolderError
from url_viz.image_set import embed_folder
from url_viz.imaging.decode import decode, read_file
from url_viz.imaging.folder_classes import class_names
from url_viz.imaging.scan import scan
from url_viz.ui.first.example import DEMO_AMBIGUOUS, DEMO_CLEAR
from url_viz.workspace import Workspace

pytestmark = pytest.mark.slow
KINDS = ["whole"] + [kind for kind in ("crop", "blur", "dark") for _ in range(6)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo pictures, built with no network to reach."""
    pytest.importorskip("skimage")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _refuse)
        start = time.monotonic()
        root = build_demo(Workspace.at(tmp_path_factory.mktemp("demo")))
    assert time.monotonic() - start < 20
    return root


def _refuse(*_: object) -> None:
    raise OSError("no network")


@pytest.fixture(scope="module")
def table(demo: Path) -> pd.DataFrame:
    """Path and label of every view, as an image set's table has them."""
    paths = [file.path for file in scan(demo).files]
    return pd.DataFrame({"path": [p.decode() for p in paths], "label": class_names(paths)})


def test_one_class_a_photograph_and_nineteen_views_of_each(table: pd.DataFrame) -> None:
    assert table["label"].nunique() >= 10
    assert set(table["label"].value_counts()) == {19}


def test_a_second_call_builds_nothing(demo: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in demo.rglob("*.jpg")}
    assert build_demo(Workspace(demo.parent.parent)) == demo
    assert {p: p.stat().st_mtime_ns for p in demo.rglob("*.jpg")} == before


def test_an_interrupted_build_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_module, "PHOTOGRAPHS", FEW)
    few = build_demo(Workspace.at(tmp_path))
    victim = sorted(few.rglob("*.jpg"))[5]
    whole = victim.read_bytes()
    victim.write_bytes(b"")
    (few / ".complete").unlink()
    build_demo(Workspace(tmp_path))
    assert victim.read_bytes() == whole, "and as before: every view is seeded"


def test_views_keep_their_size_and_differ_more_with_their_level() -> None:
    photograph = noise(3, width=800, height=600)
    result = list(views(photograph, seed=1))
    assert [view.kind for view in result] == KINDS
    assert [view.level for view in result[1:]] == [1, 2, 3, 4, 5, 6] * 3
    assert {view.image.size for view in result} == {(384, 288)}
    whole = np.asarray(result[0].image, float)
    for kind in ("blur", "dark"):
        distance = [np.abs(np.asarray(v.image, float) - whole).mean() for v in result if v.kind == kind]
        assert distance == sorted(distance)


def test_views_are_the_same_for_a_seed_and_others_for_another() -> None:
    one, again, other = (
        [np.asarray(v.image) for v in views(noise(3, width=800, height=600), seed=seed)] for seed in (1, 1, 2)
    )
    assert all(map(np.array_equal, one, again))
    assert not all(map(np.array_equal, one, other))


def test_names_say_kind_and_level(table: pd.DataFrame) -> None:
    result = degradations(table)
    assert result["kind"].value_counts().to_dict() == {
        "whole": table["label"].nunique(),
        **dict.fromkeys(("crop", "blur", "dark"), 6 * table["label"].nunique()),
    }
    assert result["level"].between(0, 6).all()


class TestMeasure:
    """Spearman of value and level within each photograph."""

    @pytest.fixture
    def planted(self, table: pd.DataFrame) -> pd.DataFrame:
        level = degradations(table)["level"].to_numpy(float)
        of_photograph = table["label"].astype("category").cat.codes.to_numpy() * 1000.0
        noise_ = np.random.default_rng(0).normal(size=len(table))
        return table.assign(
            perfect=of_photograph + level**3, reverse=-level, chance=noise_, constant=1.0, missing=np.nan
        )

    def test_a_perfect_order_is_one_and_its_reverse_minus_one(self, planted: pd.DataFrame) -> None:
        result = measure(planted, columns=("perfect", "reverse", "chance"))
        assert list(result.index) == ["crop", "blur", "dark"]
        assert result["perfect"].to_numpy() == pytest.approx([1, 1, 1])
        assert result["reverse"].to_numpy() == pytest.approx([-1, -1, -1])
        assert (result["chance"].abs() < 0.5).all()

    def test_a_value_that_says_nothing_is_nan(self, planted: pd.DataFrame) -> None:
        assert measure(planted, columns=("constant", "missing")).isna().all(axis=None)

    def test_pictures_without_a_value_are_left_out(self, planted: pd.DataFrame) -> None:
        planted.loc[planted["label"] == planted["label"].iloc[0], "perfect"] = np.nan
        assert measure(planted, columns=("perfect",))["perfect"].to_numpy() == pytest.approx([1, 1, 1])


def test_the_pictures_are_jpegs_of_the_stated_size(demo: Path) -> None:
    with Image.open(next(iter(sorted(demo.rglob("whole-0.jpg"))))) as image:
        assert image.format == "JPEG"
        assert max(image.size) == 384


def test_one_picture_of_the_demo_is_made_as_the_whole_set_has_it(demo: Path) -> None:
    assert photograph_names() == sorted(path.name for path in demo.iterdir() if path.is_dir())
    made = demo_view("coins/blur-4.jpg")
    assert made.size == decode(read_file(bytes(demo / "coins" / "blur-4.jpg")))[0].size
    with pytest.raises(FolderError, match="no demo picture"):
        demo_view("coins/blur-9.jpg")


def test_the_demo_that_is_shown_is_what_its_own_order_says(demo: Path, prepared_as_shipped: Path) -> None:
    """The pictures on the first page are the ends of the order that leads on the demo, with its questions."""
    home = Workspace.at(demo.parent.parent)
    home.models.symlink_to(prepared_as_shipped / "models")
    image_set = embed_folder(demo, workspace=home.root)
    measure = image_set.order().measure
    assert measure == "ambiguity"
    table = with_percentile(image_set.table(), measure).set_index("path")
    questions = {path: question_of(dict(table.loc[path])) for path in DEMO_AMBIGUOUS}
    assert questions == DEMO_AMBIGUOUS
    assert table.loc[list(DEMO_AMBIGUOUS), "rank_percentile"].min() > 95
    assert table.loc[list(DEMO_CLEAR), "rank_percentile"].max() < 15
