"""What tells a class and is no content: found where it is planted, not where chance, copies or content tell it."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.given import given_set
from tests.imaging.pictures import encoded, noise
from tests.object_sets import write_objects
from url_viz.cli.main import main
from url_viz.export.report import report_html
from url_viz.findings.shortcuts import (
    FEWEST_GROUPS,
    MOST,
    NOT_JUDGED,
    Property,
    Shortcuts,
    border_of,
    differs,
    file_properties,
    find_shortcuts,
    shortcut_rows,
    shuffles,
)
from url_viz.image_set import ImageSet
from url_viz.labels.classes import CodedLabels
from url_viz.models.model import Model
from url_viz.reading import embed_folder

COUNT = 60
NAMES = ("ant", "bee", "cow")
CODES = np.repeat(np.arange(3, dtype=np.int32), COUNT // 3)


def asked(values: NDArray[Any], **how: object) -> Property:
    """A property of numbers (N,) or (N, V)."""
    columns = np.asarray(values, float).reshape(len(values), -1)
    return Property("Weight", columns, lambda rows: f"{np.median(columns[rows, 0]):.0f}", **how)  # type: ignore[arg-type]


def found_in(
    *properties: Property, codes: NDArray[np.int32] = CODES, groups: NDArray[np.int32] | None = None, seed: int = 0
) -> Shortcuts:
    alone = np.arange(len(codes), dtype=np.int32)
    found = find_shortcuts(properties, CodedLabels(NAMES, codes), alone if groups is None else groups, seed=seed)
    assert found is not None
    return found


def chance(seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=COUNT)


def test_one_class_that_a_property_tells() -> None:
    weight = np.where(CODES == 1, 7, chance(0))
    found = found_in(asked(chance(1)), asked(weight))
    [row] = found.rows.to_dict("records")
    assert (row["label"], row["right"], row["strength"], row["p"]) == ("bee", 1, 1, 1 / 40)
    assert (row["here"], row["others"], row["pictures"]) == ("7", "0", 20)
    assert 0.1 < row["chance"] < 0.6
    assert found.classes == ("bee",)
    assert found.words()[0].startswith("Weight alone tells 1 of 3 classes (bee): 100 % right, chance ")
    assert found.tried["classes"].tolist() == [0, 1]


def test_strength_is_matthews_correlation() -> None:
    """Two classes of ten, told by two values; of one class two pictures have the value of the other."""
    codes = np.repeat(np.arange(2, dtype=np.int32), 10)
    values = np.where(np.arange(20) < 12, 0.0, 1.0)
    found = found_in(asked(values), codes=codes)
    expected = (10 * 8 - 2 * 0) / np.sqrt(12 * 10 * 10 * 8)  # 10 called ant rightly, 2 wrongly; 8 called bee rightly
    assert found.tried["strength"].tolist() == pytest.approx([expected])
    assert found.tried["right"].tolist() == [0.9]


def test_chance_is_not_called() -> None:
    called = [seed for seed in range(20) if len(found_in(*(asked(chance(9 * seed + n)) for n in range(9))).rows)]
    assert called == []


def test_what_copies_share_tells_no_class() -> None:
    """Each group has a value of its own, and one class: only a copy could tell it."""
    groups = np.repeat(np.arange(30, dtype=np.int32), 8)
    codes, values = groups // 10, np.random.default_rng(0).permutation(30)[groups]
    assert set(found_in(asked(values), codes=codes).classes) == set(NAMES), "without groups copies tell"
    assert found_in(asked(values), codes=codes, groups=groups).classes == ()


def test_a_border_that_shows_content_is_none() -> None:
    border, content = np.where(CODES == 1, 7, chance(0)), np.where(CODES == 1, 5, chance(2))
    assert found_in(asked(border, inside=chance(3)[:, None])).classes == ("bee",)
    assert found_in(asked(border, inside=content[:, None])).classes == ()


def test_what_no_pixel_shows_is_told_but_no_finding() -> None:
    found = found_in(asked(CODES, is_finding=False))
    assert (found.classes, found.words()) == ((), [])
    assert set(found.rows["label"]) == set(NAMES)
    nothing, told = found.printout().words
    assert nothing == "Nothing that is no content tells any of 3 classes."
    assert told.startswith("Weight alone tells 3 of 3 classes (ant, bee, cow): 100 % right")
    assert told.endswith("No pixel shows it; it may be the class itself, in other words.")


def test_small_classes_are_not_judged() -> None:
    codes = np.where(np.arange(COUNT) >= COUNT - FEWEST_GROUPS + 1, 2, CODES % 2).astype(np.int32)
    found = found_in(asked(codes.astype(float)), codes=codes)
    assert (found.of, set(found.classes)) == (2, {"ant", "bee"})
    one = CodedLabels(NAMES, np.zeros(COUNT, np.int32))
    assert find_shortcuts([asked(chance(0))], one, np.arange(COUNT, dtype=np.int32)) is None
    assert find_shortcuts([], CodedLabels(NAMES, CODES), np.arange(COUNT, dtype=np.int32)) is None


def test_pictures_without_a_label_are_left_out() -> None:
    codes = np.where(CODES == 2, -1, CODES).astype(np.int32)
    found = found_in(asked(CODES), codes=codes)
    assert (found.of, found.pictures) == (2, 40)


def test_missing_values_are_a_value() -> None:
    assert found_in(asked(np.where(CODES == 1, np.nan, chance(0)))).classes == ("bee",)


def test_shuffled_groups_stay_whole() -> None:
    group = np.array([0, 0, 1, 2, 2, 2, 3])
    label = np.array([5, 5, 6, 7, 7, 7, 8], np.int32)
    for other in shuffles(label, group, np.random.default_rng(0)):
        assert all(len(set(other[group == each])) == 1 for each in range(4))
        assert {other[group == each][0] for each in range(4)} == {5, 6, 7, 8}


def test_of_many_pictures_whole_groups_are_looked_at() -> None:
    groups = np.repeat(np.arange(MOST, dtype=np.int32), 2)

    class Many:
        table = range(len(groups))

    rows = shortcut_rows.make(Many(), groups)  # type: ignore[arg-type]
    assert len(rows) == MOST
    assert (np.bincount(groups[rows], minlength=MOST) % 2 == 0).all()


def test_the_border_by_hand() -> None:
    image = Image.new("RGB", (100, 100), "white")
    image.paste((255, 0, 0), (10, 10, 90, 90))
    assert border_of(encoded(image, quality=95)) == pytest.approx([1, 1, 1, 0, 1, 0, 0, 0], abs=0.02)


def write_planted(root: Path) -> list[str]:
    """Twenty cats of JPEG quality 40, and twenty dogs of 90: their paths."""
    paths = [f"{name}/{number}.jpg" for name in ("cat", "dog") for number in range(20)]
    for number, path in enumerate(paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        noise(number).save(root / path, quality=40 if path.startswith("cat") else 90)
    return paths


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    base = tmp_path_factory.mktemp("planted")
    return given_set(base, write_planted(base / "photos"))


@pytest.mark.slow
def test_a_set_of_two_qualities_says_so_at_every_door(
    planted: ImageSet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = planted.shortcuts()
    assert found is not None
    assert dict(zip(found.rows["label"], found.rows["here"], strict=True)) == {"cat": "40", "dog": "90"}
    said = found.words()[0]
    assert said.startswith("JPEG quality alone tells 2 of 2 classes (cat and dog): 100 % right, chance ")
    [finding] = [each for each in planted.findings() if each.kind == "shortcuts"]
    assert (finding.words, finding.count, finding.opens) == (said, 2, None)
    assert f"{finding.count} {finding.short}" == "2 classes told by a shortcut"
    assert said in report_html(planted)
    [rule] = planted.check({"shortcuts": 0}).rules
    assert (rule.words, rule.state) == ("shortcuts: 2 of 2, at most 0", "broken")
    assert rule.counted == (("cat", "told by JPEG quality 40"), ("dog", "told by JPEG quality 90"))
    assert planted.check({"shortcuts": "100%"}).status == 0
    assert planted.check({"shortcuts": 0}, baseline=planted).status == 0, "what was known does not count"
    monkeypatch.setenv("URL_VIZ_HOME", str(planted.workspace.root))
    assert main(["shortcuts", str(planted.root), "--model", planted.source.name]) == 0
    assert said in capsys.readouterr().out


def test_columns_of_the_users_are_listed_only(planted: ImageSet, tmp_path: Path) -> None:
    lines = [f"{path},{'east' if path.startswith('cat') else 'west'}" for path in planted.table()["path"]]
    (tmp_path / "sites.csv").write_text("\n".join(["path,site", *lines]))
    planted.columns.add(tmp_path / "sites.csv")
    try:
        found = planted.shortcuts()
        assert found is not None
        assert set(found.rows["property"]) == {"JPEG quality", "Column site"}
        assert set(found.findings["property"]) == {"JPEG quality"}
    finally:
        planted.columns.remove("sites")


def test_objects_and_sets_without_classes_are_not_judged(tmp_path: Path, model: Model) -> None:
    objects = embed_folder(write_objects(tmp_path / "shapes"), model=model, workspace=tmp_path / "home")
    assert objects.shortcuts() is None
    [rule] = objects.check({"shortcuts": 0}).rules
    assert (rule.state, rule.why_not) == ("not judged", NOT_JUDGED)


def test_what_files_say_is_asked_where_it_is_known_of_nearly_all() -> None:
    contents = np.arange(COUNT)
    camera, taken = np.where(CODES == 1, "Acme One", None), np.where(CODES == 1, 86_400.0, np.nan)
    nothing = np.full(COUNT, np.nan)
    known = pa.table(
        {"content": contents, "format": ["JPEG"] * COUNT, "quality": nothing, "camera": camera, "taken": taken}
    )
    asked_of = {each.name: each for each in file_properties(known, contents)}
    assert [name for name, each in asked_of.items() if differs(each.values)] == ["Camera", "Date taken"]
    [row] = found_in(asked_of["Camera"]).rows.to_dict("records")
    assert (row["label"], row["here"], row["others"]) == ("bee", "Acme One", "none")
    assert asked_of["Date taken"].shown(np.flatnonzero(CODES == 1)) == "1970-01-02"
    assert asked_of["Date taken"].shown(np.flatnonzero(CODES == 0)) == ""
    assert not asked_of["Date taken"].is_finding
    assert not list(file_properties(known.slice(4), contents)), "4 of 60 were read before it was kept"


def test_folders_above_the_class_are_listed(tmp_path: Path) -> None:
    paths = [f"{site}/{name}/{number}.jpg" for site, name in (("east", "ant"), ("west", "bee")) for number in range(10)]
    image_set = given_set(tmp_path, paths)
    image_set.labels.use("level:2")
    found = image_set.shortcuts()
    assert found is not None
    assert set(found.rows["property"]) == {"Folder, level 1"}
    assert set(zip(found.rows["label"], found.rows["here"], strict=True)) == {("ant", "east"), ("bee", "west")}
    assert found.classes == ()
