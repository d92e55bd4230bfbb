"""Measures, checks and formats of other packages: `examples/plugin`, installed, and packages that fail."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.given import by_turns, dice, given_set
from tests.imaging.pictures import noise
from tests.read_sets import opened_again
from url_viz import column_list
from url_viz.base import plugins
from url_viz.base.errors import PluginError
from url_viz.columns import engine, measures
from url_viz.export.data_sets import for_annotations
from url_viz.findings import findings
from url_viz.imaging.annotations import formats
from url_viz.imaging.limited_readers import readers
from url_viz.models.model import Model
from url_viz.reading import embed_folder

EXAMPLE = Path(__file__).parent.parent / "examples" / "plugin"
CACHES: tuple[Callable[[], None], ...] = tuple(
    each.cache_clear
    for each in (
        plugins.plugged_in,
        measures.added_measures,
        measures._by_name,
        column_list.every_column,
        findings.every_check,
        formats.every_format,
    )
)

pytestmark = pytest.mark.slow


def forget() -> None:
    for clear in CACHES:
        clear()
    readers.close()  # processes that know only the packages of before


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example package, installed by pip into a folder of its own."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--target", str(target), str(EXAMPLE)], check=True, timeout=200)
    return target


@pytest.fixture
def with_packages(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Adds a folder of installed packages for one test, and for the processes that it starts."""

    def add(folder: Path) -> None:
        monkeypatch.syspath_prepend(folder)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
        forget()

    forget()
    taken = {*engine.GIVEN}
    yield add
    engine.GIVEN.intersection_update(taken)  # no other test's set may lack a column of a measure that is gone
    monkeypatch.undo()
    forget()


def package(folder: Path, group: str, value: str, code: str) -> Path:
    """An installed package `odd` with one entry point."""
    folder.mkdir(exist_ok=True)
    sys.modules.pop("odd", None)
    (folder / "odd.py").write_text(code)
    about = folder / "odd_package-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-package\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{group}]\nmine = {value}\n")
    return folder


def test_a_measure_of_another_package_orders_and_is_evaluated_and_its_check_is_found(
    tmp_path: Path, example: Path, with_packages: Callable[[Path], None]
) -> None:
    paths = by_turns(24)
    for number, path in enumerate(paths):
        file = tmp_path / "photos" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        noise(number).resize((160, 40) if number in (3, 8) else (48, 48)).save(file)
    assert "unusual_shape" not in given_set(tmp_path, paths).table()
    with_packages(example)
    image_set = given_set(tmp_path, paths, dice(24))
    table = image_set.table()
    ratio = np.abs(np.log(table["width"] / table["height"]))
    assert table["unusual_shape"].to_numpy() == pytest.approx(ratio - np.median(ratio), abs=1e-6)
    assert image_set.order("unusual_shape").measure == "unusual_shape"
    results = image_set.evaluate()
    assert results is not None
    assert results.shown().set_index("Measure").loc["Unusual shape", "Knows"] == "the picture alone"
    (found,) = (each for each in image_set.findings() if each.kind == "panoramas")
    assert (found.words, found.short) == ("2 panoramas", "panoramas")
    assert sorted(image_set.reviews.open("panoramas").ids) == sorted(table["id"][ratio > 1])
    (rule,) = image_set.check({"panoramas": 1}).rules
    assert (rule.state, rule.words) == ("broken", "panoramas: 2 of 24, at most 1")
    image_set.decisions.decide(table["id"][ratio > 1].tolist(), "drop")
    assert image_set.check({"panoramas": 0}).state == "passed"


def test_a_format_of_another_package_is_read_reviewed_and_written_back(
    tmp_path: Path, example: Path, with_packages: Callable[[Path], None], model: Model
) -> None:
    photos, home = tmp_path / "photos", tmp_path / "home"
    photos.mkdir()
    lines = ["path,label,x,y,width,height"]
    for number in range(12):
        noise(number).resize((96, 96)).save(photos / f"{number}.png")
        lines += [f"{number}.png,{'cat' if number % 2 else 'dog'},8,8,40,40", f"{number}.png,emu,50,50,30,30"]
    given = "\n".join([*lines, "12.png,cat,a,b,c,d\n"])
    (photos / "boxes.csv").write_text(given)
    with_packages(example)
    image_set = embed_folder(photos / "boxes.csv", model=model, workspace=home)
    table = image_set.table()
    assert (len(table), table["label"].nunique(), image_set.is_of_objects) == (24, 3, True)
    first, second = (table.loc[table["label"] == "emu", "id"].tolist()[place] for place in (0, 1))
    image_set.labels.give({first: "cat"})
    image_set.decisions.decide([second], "drop")
    for_annotations(image_set, tmp_path / "out")
    (file,) = (tmp_path / "out").rglob("boxes.csv")
    written = file.read_text().splitlines()
    changed = {*given.splitlines()} - {*written}
    assert len(changed) == 2
    assert all(",emu," in line for line in changed)
    assert len(written) == len(given.splitlines()) - 1


@pytest.mark.parametrize(
    ("group", "value", "code", "why"),
    [
        ("url_viz.checks", "odd:GONE", "", "cannot be loaded (AttributeError"),
        ("url_viz.measures", "odd:ONE", "ONE = 1", "is a int, and no url_viz.columns.measures.Measure"),
        ("url_viz.formats", "odd:ONE", "class ONE: name = 'YOLO'", "is a type, and no"),
        (
            "url_viz.measures",
            "odd:ONE",
            "from url_viz.columns.measures import AMBIGUITY as ONE",
            "is called 'ambiguity', as another one is",
        ),
        (
            "url_viz.measures",
            "odd:ONE",
            "from url_viz.columns.measures import Measure\nONE = Measure('one', 'One', 'x', 'x', None)",
            "has no `make`",
        ),
    ],
)
def test_a_package_that_does_not_fit_is_named(
    tmp_path: Path, with_packages: Callable[[Path], None], group: str, value: str, code: str, why: str
) -> None:
    with_packages(package(tmp_path, group, value, code))
    everything = {
        "url_viz.checks": findings.every_check,
        "url_viz.measures": measures.every_measure,
        "url_viz.formats": formats.every_format,
    }
    with pytest.raises(PluginError) as raised:
        everything[group]()
    assert why in str(raised.value)
    assert "odd-package" in str(raised.value) or "Uninstall its package" in str(raised.value)


@pytest.mark.parametrize(
    ("given", "body", "why"),
    [
        ("base", "return 1 / 0", "failed (ZeroDivisionError: division by zero)"),
        ("base", "return [1, 2]", "values of shape (2,) for 6"),
        ("base", "return list('abcdef')", "failed (TypeError: it gives <U1, no numbers)"),
        ("base", "return [1j] * 6", "failed (TypeError: it gives complex128, no numbers)"),
        ("base", "return [[1], [2, 3]]", "failed (ValueError: "),
        ("base", "raise SystemExit(0)", "failed (SystemExit: 0)"),
        ("base, nowhere", "return 1", "'nowhere', which the measure one is made of, is neither a column nor a source"),
    ],
)
def test_a_measure_that_fails_is_an_error_with_its_package(
    tmp_path: Path, with_packages: Callable[[Path], None], given: str, body: str, why: str
) -> None:
    image_set = given_set(tmp_path, by_turns(6))
    code = (
        "from url_viz.columns.measures import Measure\n"
        f"def make({given}):\n    {body}\n"
        "ONE = Measure('one', 'One', 'x', 'x', None, make=make)\n"
    )
    with_packages(package(tmp_path / "packages", "url_viz.measures", "odd:ONE", code))
    with pytest.raises(PluginError) as raised:
        opened_again(image_set).table()
    assert why in str(raised.value)
    assert "'one'" in str(raised.value) or "odd-package" in str(raised.value)


@pytest.mark.parametrize("gives", ["{'x': [1]}", "{'id': [*base.table['id'][:1]] * 2, 'suggested': None}"])
def test_a_check_whose_list_cannot_be_asked_is_an_error_with_its_package(
    tmp_path: Path, with_packages: Callable[[Path], None], gives: str
) -> None:
    image_set = given_set(tmp_path, by_turns(6))
    code = (
        "import pandas as pd\n"
        "from url_viz.findings.checks import Check, Said\n"
        f"def finds(base):\n    return pd.DataFrame({gives})\n"
        "ONE = Check('one', finds=finds, says=lambda left: Said(left, 'odd'), short='odd', title='Odd')\n"
    )
    with_packages(package(tmp_path / "packages", "url_viz.checks", "odd:ONE", code))
    with pytest.raises(PluginError, match=r"'one', which the package 'odd' adds, failed .*no column `id`, or one of"):
        opened_again(image_set).findings()
