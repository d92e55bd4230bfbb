"""Sets with something damaged in them: what was read stays, others are listed, and `mend` says what it laid aside."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.imaging.pictures import noise, write_folder
from tests.read_sets import copied, opened_again
from url_viz.cli.main import main
from url_viz.errors import DamageError
from url_viz.image_set import ImageSet, embed_folder
from url_viz.models.model import Model
from url_viz.recent_sets import RecentSets
from url_viz.store.sets import list_sets
from url_viz.ui.widgets.embed_job import titles
from url_viz.workspace import SetPaths


@pytest.fixture(scope="module")
def read_once(module_workspace: Path, model: Model) -> ImageSet:
    folder = write_folder(module_workspace.parent / "pictures", 12, classes=("cat", "dog"))
    return embed_folder(folder, model=model, workspace=module_workspace)


@pytest.fixture
def image_set(read_once: ImageSet, tmp_path: Path, workspace: Path) -> ImageSet:
    return copied(read_once, tmp_path / "pictures", home=workspace)


def damage(file: Path) -> None:
    """Another bit somewhere in the middle."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def test_a_reading_over_damaged_labels_stores_all_and_does_not_fail(image_set: ImageSet, model: Model) -> None:
    damage(image_set.store.paths.labels)
    noise(100).save(image_set.root / "cat" / "new.png")
    embed_folder(image_set.root, model=model, workspace=image_set.workspace.root)
    assert len(opened_again(image_set)) == 13
    with pytest.raises(DamageError, match=r"labels\.json is damaged"):
        opened_again(image_set).table()


def cut_labels(paths: SetPaths) -> None:
    damage(paths.labels)


def cut_table(paths: SetPaths) -> None:
    for file in (paths.tables / "images.lance" / "data").glob("*.lance"):
        file.write_bytes(file.read_bytes()[:-100])


def cut_name(paths: SetPaths) -> None:
    for file in (paths.about, paths.about_copy):
        damage(file)


class TestTwoSets:
    """A set with something damaged in it beside a whole one, read with the model's name: the app lists both."""

    @pytest.fixture
    def other(self, read_once: ImageSet, tmp_path: Path, workspace: Path) -> ImageSet:
        return copied(read_once, tmp_path / "other", home=workspace)

    @pytest.mark.parametrize("hurt", [cut_labels, cut_table])
    def test_the_damaged_one_is_listed_as_such_and_hides_no_other(
        self,
        image_set: ImageSet,
        other: ImageSet,
        hurt: Callable[[SetPaths], None],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        home = image_set.workspace
        recent = RecentSets(home)
        hurt(image_set.store.paths)
        by_id = {one.set_id: one for one in recent.latest(9)}
        assert (by_id[other.set_id].pictures, by_id[other.set_id].damage) == (12, "")
        assert "python -m url_viz" in by_id[image_set.set_id].damage
        assert by_id[image_set.set_id].about.root == image_set.root
        listed = list_sets(home.root).set_index("id")["state"]
        assert listed.to_dict() == {image_set.set_id: "damaged", other.set_id: ""}
        assert main(["sets", "--workspace", str(home.root)]) == 0
        said = capsys.readouterr().out
        assert str(other.root) in said
        assert f"Repair it: python -m url_viz mend {image_set.root}" in said
        monkeypatch.setenv("URL_VIZ_HOME", str(home.root))
        assert titles().keys() == {image_set.set_id, other.set_id}

    def test_one_whose_folder_is_not_known_is_listed_by_its_id(
        self, image_set: ImageSet, other: ImageSet, capsys: pytest.CaptureFixture[str]
    ) -> None:
        home = image_set.workspace
        cut_name(image_set.store.paths)
        rows = list_sets(home.root).set_index("id")
        assert rows.loc[image_set.set_id, ["name", "folder", "state"]].tolist() == [image_set.set_id, "", "damaged"]
        assert rows.loc[other.set_id, "pictures"] == 12
        assert main(["sets", "--skipped", "--workspace", str(home.root)]) == 0
        assert main(["sets", "--workspace", str(home.root)]) == 0
        assert "mend FOLDER" in capsys.readouterr().out
