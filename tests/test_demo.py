"""The demo sets are built offline, the same each time; what the first page shows of one is what it gives."""

import base64
import io
import socket
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.imaging.pictures import noise
from tests.test_examples import NAMED
from url_viz import demo as demo_module
from url_viz.base.workspace import Workspace
from url_viz.cli.main import main
from url_viz.columns.ranking import with_percentile
from url_viz.demo import build_demo, build_spoiled, degradations, measure, views
from url_viz.image_set import ImageSet
from url_viz.imaging.folder_classes import find_classes
from url_viz.imaging.scan import scan
from url_viz.reading import embed_folder
from url_viz.ui.first_page import Small, demo_example

pytestmark = pytest.mark.slow
NAMES = ["whole-0.jpg", *(f"{kind}-{level}.jpg" for kind in ("crop", "blur", "dark") for level in range(1, 7))]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Both sets, built with no network to reach."""
    made = Workspace.at(tmp_path_factory.mktemp("demo"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _refuse)
        build_demo(made)
        build_spoiled(made)
    return made


@pytest.fixture(scope="module")
def spoiled(workspace: Workspace) -> Path:
    """The spoiled photographs."""
    return build_spoiled(workspace)


def _refuse(*_: object) -> None:
    raise OSError("no network")


@pytest.fixture(scope="module")
def table(spoiled: Path) -> pd.DataFrame:
    """Path and label of every view, as an image set's table has them."""
    paths = [file.path for file in scan(spoiled).files]
    return pd.DataFrame({"path": [p.decode() for p in paths], "label": find_classes(paths).class_names})


def test_a_second_call_builds_nothing(spoiled: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in spoiled.rglob("*.jpg")}
    assert build_spoiled(Workspace(spoiled.parent.parent)) == spoiled
    assert {p: p.stat().st_mtime_ns for p in spoiled.rglob("*.jpg")} == before
    with Image.open(min(spoiled.rglob("whole-0.jpg"))) as image:
        assert (image.format, max(image.size)) == ("JPEG", 384)


def test_an_interrupted_build_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_module, "PHOTOGRAPHS", {"skimage": ("data", NAMED)})
    few = build_spoiled(Workspace.at(tmp_path))
    victim = sorted(few.rglob("*.jpg"))[5]
    whole = victim.read_bytes()
    victim.write_bytes(b"")
    (few / ".complete").unlink()
    build_spoiled(Workspace(tmp_path))
    assert victim.read_bytes() == whole, "and as before: every view is seeded"


def test_views_keep_their_size_differ_more_with_their_level_and_are_the_same_for_a_seed() -> None:
    photograph = noise(3, width=800, height=600)
    result = dict(views(photograph, seed=1))
    assert list(result) == NAMES
    assert {view.size for view in result.values()} == {(384, 288)}
    whole = np.asarray(result["whole-0.jpg"], float)
    for kind in ("blur", "dark"):
        distance = [np.abs(np.asarray(result[f"{kind}-{level}.jpg"], float) - whole).mean() for level in range(1, 7)]
        assert distance == sorted(distance)
    one, again, other = ([np.asarray(view) for _, view in views(photograph, seed=seed)] for seed in (1, 1, 2))
    assert all(map(np.array_equal, one, again))
    assert not all(map(np.array_equal, one, other))


def test_names_say_kind_and_level(table: pd.DataFrame) -> None:
    assert table["label"].nunique() >= 10
    assert set(table["label"].value_counts()) == {19}, "one class a photograph, and nineteen views of each"
    result = degradations(table)
    assert result["kind"].value_counts().to_dict() == {
        "whole": table["label"].nunique(),
        **dict.fromkeys(("crop", "blur", "dark"), 6 * table["label"].nunique()),
    }
    assert result["level"].between(0, 6).all()


def test_a_perfect_order_measures_one_within_each_photograph_its_reverse_minus_one_and_none_nan(
    table: pd.DataFrame,
) -> None:
    level = degradations(table)["level"].to_numpy(float)
    of_photograph = table["label"].astype("category").cat.codes.to_numpy() * 1000.0
    chance = np.random.default_rng(0).normal(size=len(table))
    planted = table.assign(perfect=of_photograph + level**3, reverse=-level, chance=chance, constant=1.0, none=np.nan)
    result = measure(planted, columns=("perfect", "reverse", "chance", "constant", "none"))
    assert list(result.index) == ["crop", "blur", "dark"]
    assert result["perfect"].to_numpy() == pytest.approx([1, 1, 1])
    assert result["reverse"].to_numpy() == pytest.approx([-1, -1, -1])
    assert (result["chance"].abs() < 0.5).all()
    assert result[["constant", "none"]].isna().all(axis=None)


@pytest.fixture(scope="module")
def digits(workspace: Workspace, prepared_as_shipped: Path) -> ImageSet:
    """The digits, read by the default model."""
    workspace.models.symlink_to(prepared_as_shipped / "models")
    return embed_folder(build_demo(workspace), workspace=workspace.root)


def test_fifty_of_each_digit_none_of_them_twins_and_an_order_that_holds(digits: ImageSet) -> None:
    table, order = digits.table(), digits.order()
    assert Counter(table["label"]) == {str(digit): 50 for digit in range(10)}
    assert table["twin_group"].isna().all(), "alike writing is no copy, and no view"
    assert order.measure == "ambiguity"
    assert order.evidence is not None
    assert order.evidence.interval.low > 0.65


def test_what_the_first_page_shows_is_what_the_demo_gives(digits: ImageSet) -> None:
    """Each picture is one of the set, and at its end of the order: that by two models is much like that by one."""
    table = with_percentile(digits.table(), "ambiguity")
    thumbnails = digits.core.store.thumbnails(table["id"].tolist())
    ours = np.stack([_grey(thumbnails[number]) for number in table["id"]])

    def percentiles(pictures: Sequence[Small]) -> list[float]:
        grey = [_grey(base64.b64decode(one.address.partition(",")[2])) for one in pictures]
        away = [np.abs(ours - one).mean(axis=(1, 2)) for one in grey]
        assert max(one.min() for one in away) < 3, "of 255: as one picture saved twice"
        return [float(table["rank_percentile"].iloc[one.argmin()]) for one in away]

    example = demo_example()
    assert min(percentiles(example.ambiguous)) > 70
    assert max(percentiles(example.clear)) < 15
    assert all(one.words.endswith("?") for one in example.ambiguous)
    assert len({*percentiles(example.by_name)}) == len(example.by_name)


def test_the_command_says_how_well_the_order_holds(digits: ImageSet, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = digits.workspace.root
    assert main(["demo", "--workspace", str(workspace)]) == 0
    shown = capsys.readouterr().out
    assert f"500 pictures in {digits.root}." in shown
    assert digits.order().reason in shown


def test_or_how_well_each_value_finds_what_was_spoiled(
    tmp_path: Path, prepared_as_shipped: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_module, "PHOTOGRAPHS", {"skimage": ("data", NAMED)})
    Workspace.at(tmp_path).models.symlink_to(prepared_as_shipped / "models")
    assert main(["demo", "--spoiled", "--workspace", str(tmp_path)]) == 0
    rows = capsys.readouterr().out.splitlines()[-3:]
    assert [row.split()[0] for row in rows] == ["crop", "blur", "dark"]
    assert {len(row.split()) for row in rows} == {5}


def test_without_scikit_image_it_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    assert main(["demo", "--spoiled", "--workspace", str(tmp_path)]) == 1
    assert "`pip install scikit-image`" in capsys.readouterr().err


def _grey(jpeg: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(jpeg)) as image:
        return np.asarray(image.convert("L").resize((32, 32), Image.Resampling.BOX), float)
